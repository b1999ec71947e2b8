-- Neovim and planc: copy this file to ~/.config/nvim/plugin/planc.lua.
vim.filetype.add({ extension = { plan = "planc" } })

local group = vim.api.nvim_create_augroup("planc", { clear = true })

-- an inventory is served only beside a plan: other YAML files are none of our business
local function beside_a_plan(file)
  local found = vim.fs.find(function(name)
    return name:match("%.plan$") ~= nil
  end, { upward = true, path = vim.fs.dirname(file), limit = 1, type = "file" })
  return found[1]
end

local function serve(args)
  local plan = beside_a_plan(args.match)
  if not plan then
    return
  end
  local git = vim.fs.find(".git", { upward = true, path = vim.fs.dirname(args.match) })[1]
  vim.lsp.start({
    name = "planc",
    cmd = { "planc", "lsp" },
    root_dir = vim.fs.dirname(git or plan),
  })
end

vim.api.nvim_create_autocmd("FileType", {
  group = group,
  pattern = { "planc", "yaml" },
  callback = function(args)
    serve({ match = vim.api.nvim_buf_get_name(args.buf) })
  end,
})

vim.api.nvim_create_autocmd("FileType", {
  group = group,
  pattern = "planc",
  callback = function()
    vim.bo.commentstring = "# %s"
    vim.bo.shiftwidth = 2
    vim.bo.expandtab = true
  end,
})

-- the proofs above the promises
vim.api.nvim_create_autocmd({ "BufEnter", "InsertLeave" }, {
  group = group,
  pattern = "*.plan",
  callback = function(args)
    if next(vim.lsp.get_active_clients({ bufnr = args.buf, name = "planc" })) then
      vim.lsp.codelens.refresh()
    end
  end,
})

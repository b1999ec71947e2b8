" The language server for vim-lsp, where that is installed.
augroup planc_lsp
  autocmd!
  autocmd User lsp_setup call lsp#register_server({
        \ 'name': 'planc',
        \ 'cmd': {_ -> ['planc', 'lsp']},
        \ 'allowlist': ['planc', 'yaml'],
        \ })
augroup END

" Plans: comments, indentation, :make by `planc check`, :PlancFmt by `planc fmt`.
if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1

setlocal commentstring=#\ %s comments=:#
setlocal shiftwidth=2 softtabstop=2 expandtab
setlocal iskeyword+=-
setlocal makeprg=planc\ check\ --format\ short\ %:S
setlocal errorformat=%f:%l:%c:\ %trror[%m,%f:%l:%c:\ %tarning[%m,%f:%l:%c:\ %tdvice[%m

" A plan that cannot be formatted stays as it is.
function! s:Format() abort
  let l:view = winsaveview()
  let l:lines = systemlist("planc fmt -", getline(1, "$"))
  if v:shell_error
    echoerr join(l:lines, " ")
    return
  endif
  call setline(1, l:lines)
  if line("$") > len(l:lines)
    execute (len(l:lines) + 1) . ",$delete _"
  endif
  call winrestview(l:view)
endfunction
command! -buffer PlancFmt call s:Format()

let b:undo_ftplugin = "setlocal commentstring< comments< shiftwidth< softtabstop< expandtab<"
      \ . " iskeyword< makeprg< errorformat<" . " | delcommand -buffer PlancFmt"

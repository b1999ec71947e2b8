autocmd BufRead,BufNewFile *.plan setfiletype planc

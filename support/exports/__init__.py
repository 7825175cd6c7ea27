"""Lists and figures taken away as files: `lists` names them, `files` writes CSV and XLSX, `making` asks for one, makes
it in the background, hands it out and removes it."""

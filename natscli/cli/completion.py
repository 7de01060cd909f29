"""Shell completion: a script for each shell, which asks pynats, and what pynats answers.

A script runs `pynats` with `_PYNATS_COMPLETE` set to the name of the shell and `COMP_LINE` to the command line up to
the cursor. The answer is a line for each candidate: `plain,VALUE`, for all shells but bash followed by a tab and what
it is; or `file,` and `dir,`, which let the shell complete names of files and folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from natscli.text import visible_line

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from natscli.cli.options import App

VARIABLE = "_PYNATS_COMPLETE"

_BASH = """\
_pynats_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            plain,*) COMPREPLY+=("${line#plain,}") ;;
            file,*) compopt -o default 2>/dev/null ;;
            dir,*) compopt -o dirnames 2>/dev/null ;;
        esac
    done < <(_PYNATS_COMPLETE=bash COMP_LINE="${COMP_LINE:0:COMP_POINT}" \\
        COMP_WORDBREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
}
complete -o nosort -F _pynats_completion pynats 2>/dev/null ||
    complete -o default -F _pynats_completion pynats
"""

_ZSH = """\
#compdef pynats
_pynats_completion() {
    local line value help files
    local -a described
    while IFS= read -r line; do
        case $line in
            plain,*)
                value=${${line#plain,}%%$'\\t'*} help=${line#*$'\\t'}
                described+=("${${value//\\\\/\\\\\\\\}//:/\\\\:}:$help") ;;
            file,*) files='_files' ;;
            dir,*) files='_files -/' ;;
        esac
    done < <(_PYNATS_COMPLETE=zsh COMP_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" ${words[1]} 2>/dev/null)
    [[ $PREFIX == --*=* ]] && compset -P 1 '*='
    [[ -n $files ]] && ${=files}
    (( $#described )) && _describe -V pynats described
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _pynats_completion "$@"
else
    compdef _pynats_completion pynats
fi
"""

_FISH = """\
function _pynats_completion
    set -l token (commandline -ct)
    set -l option (string match -r -- '^--[^=]+=' $token)
    set -l value (string replace -r -- '^--[^=]+=' '' $token)
    for line in (env _PYNATS_COMPLETE=fish COMP_LINE=(commandline -cp | string collect) pynats 2>/dev/null)
        set -l parts (string split -m1 -- , $line)
        switch $parts[1]
            case plain
                echo -- "$option$parts[2]"
            case file
                for path in (__fish_complete_path $value)
                    echo -- "$option$path"
                end
            case dir
                for path in (__fish_complete_directories $value)
                    echo -- "$option$path"
                end
        end
    end
end
complete --no-files --keep-order --command pynats --arguments '(_pynats_completion)'
"""

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName pynats -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $env:_PYNATS_COMPLETE = 'powershell'
    $env:COMP_LINE = $commandAst.Extent.Text.PadRight($length).Substring(0, $length)
    try {
        foreach ($line in (pynats 2>$null)) {
            $kind, $rest = $line -split ',', 2
            if ($kind -eq 'plain') {
                $value, $help = $rest -split "`t", 2
                [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
            }
        }
    } finally {
        Remove-Item Env:_PYNATS_COMPLETE, Env:COMP_LINE
    }
}
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}


def answer(root: click.Command, app: App) -> str:
    """The candidates for the last word of `COMP_LINE`; nothing for a shell that is not known."""
    from click.shell_completion import ShellComplete, split_arg_string

    environ = app.environment.environ
    shell = environ[VARIABLE]
    if shell not in SCRIPTS:
        return ""
    line = environ.get("COMP_LINE", "")
    words = split_arg_string(line)
    word = words.pop() if words and not line[-1:].isspace() else ""
    items = ShellComplete(root, {"obj": app}, "pynats", VARIABLE).get_completions(words[1:], word)
    return "".join(f"{answered}\n" for answered in _answers(items, shell, word, line, environ))


def _answers(
    items: list[CompletionItem], shell: str, word: str, line: str, environ: Mapping[str, str]
) -> Iterator[str]:
    option = match[0] if (match := re.match("--[^=]+=", word)) else ""
    for item in items:
        if item.type != "plain":
            yield f"{item.type},"
            continue
        value = visible_line(str(item.value))
        about = " ".join(visible_line(item.help or "").split())
        if shell == "bash":
            yield f"plain,{_for_bash(option + value, word, line, environ)}"
        elif shell == "powershell":
            yield f"plain,{_for_powershell(option + value)}\t{about or value}"
        else:
            yield f"plain,{value}\t{about}"


def _for_bash(value: str, word: str, line: str, environ: Mapping[str, str]) -> str:
    """The part of `value` after the last character of `word` that ends a word for bash, quoted as `word` is."""
    breaks = [character for character in "=:" if character in environ.get("COMP_WORDBREAKS", "")]
    value = value[max((word.rfind(character) + 1 for character in breaks), default=0) :]
    quote = _open_quote(line)
    if quote == "'":
        return value.replace("'", "'\\''")
    return re.sub(r'([\\$`"])' if quote else r"([^\w@%+=:,./-])", r"\\\1", value)


def _open_quote(line: str) -> str:
    """The quote that a command line ends in, or nothing."""
    quote, escaped = "", False
    for character in line:
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character in "'\"" and quote in ("", character):
            quote = "" if quote else character
    return quote


def _for_powershell(value: str) -> str:
    """Quoted if it needs to be; PowerShell ends a string at a typographic quote too."""
    if re.fullmatch(r"[\w+=:./\\-]+", value):
        return value
    return "'" + re.sub("(['\u2018-\u201b])", r"\1\1", value) + "'"

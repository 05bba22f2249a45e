package main

// completionScripts teach each shell to ask posthaste itself (completeCommand)
// what can stand where. Where it knows nothing, the shell offers files.
var completionScripts = map[string]string{
	"bash": bashCompletion,
	"zsh":  zshCompletion,
	"fish": fishCompletion,
}

// bashCompletion works in bash 3.2, which macOS has, too.
const bashCompletion = `# posthaste completion for bash: source <(posthaste completion bash)
_posthaste() {
  local IFS=$'\n'
  COMPREPLY=($("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1))
}
complete -o bashdefault -o default -F _posthaste posthaste
`

const zshCompletion = `#compdef posthaste
# posthaste completion for zsh: source <(posthaste completion zsh), after compinit
_posthaste() {
  local word text
  local -a candidates shown
  while IFS=$'\t' read -r word text; do
    candidates+=("$word")
    shown+=("$word${text:+  -- $text}")
  done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( ${#candidates} )); then
    compadd -l -d shown -a candidates
  else
    _files
  fi
}
if [ "${funcstack[1]}" = "_posthaste" ]; then
  _posthaste "$@"
else
  compdef _posthaste posthaste
fi
`

const fishCompletion = `# posthaste completion for fish: posthaste completion fish | source
function __posthaste_complete
    set -l before (commandline -opc)
    set -l now (commandline -ct)
    set -l found ($before[1] __complete -- $before[2..-1] "$now" 2>/dev/null)
    set -q found[1]; or set found (__fish_complete_path "$now")
    string join \n -- $found
end
complete -c posthaste -f -a '(__posthaste_complete)'
`

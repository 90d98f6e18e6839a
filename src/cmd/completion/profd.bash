
# Above is what profd has, from its own tables; below, how it is offered. bash-completion is not
# needed; with it, what stands behind "--" is completed by the started command's own completion.

# The words up to the cursor as profd will get them, the last one being `word`: readline splits them
# at "=", ":" and "@" as well, and replaces only what stands behind `kept`. places[i] is where
# words[i] begins in COMP_WORDS.
_profd_split() {
	local line=${COMP_LINE:0:COMP_POINT} piece i joined
	words=() places=() kept=
	for ((i = 0; i <= COMP_CWORD; i++)); do
		joined=
		[[ $i -gt 0 && $line == [!$' \t\n']* && $piece${COMP_WORDS[i]:0:1} == *[=:@]* ]] &&
			joined=yes
		line=${line#"${line%%[!$' \t\n']*}"}
		piece=${COMP_WORDS[i]}
		((i < COMP_CWORD)) || piece=$line
		line=${line#"$piece"}
		if [[ $joined ]]; then
			kept=${words[-1]}
			words[-1]+=$piece
		else
			kept=
			words+=("$piece") places+=("$i")
		fi
	done
	[[ $piece == *[!=:@]* ]] || kept+=$piece
	word=${words[-1]}
}

# _profd_offer LEAD: of `names`, described by `notes`, those that continue the word at the cursor,
# which begins with LEAD. Descriptions are for lists only, they must never be inserted.
_profd_offer() {
	local i name width=0 columns=${COLUMNS:-80} found=()
	for i in "${!names[@]}"; do
		[[ $1${names[i]} == "$word"* ]] || continue
		found+=("$i")
		((${#names[i]} <= width)) || width=${#names[i]}
	done
	for i in "${found[@]}"; do
		name=$1${names[i]}
		name=${name#"$kept"}
		if [[ ${#found[@]} -gt 1 && ${notes[i]-} && ${COMP_TYPE-} =~ ^(33|63|64)$ ]]; then
			printf -v name '%-*s  %s' "$((${#name} - ${#names[i]} + width))" "$name" "${notes[i]}"
			name=${name:0:columns-1}
		fi
		COMPREPLY+=("$name")
	done
}

# Processes or threads: names=(ID...) notes=(NAME...). Whoever runs a process chooses its name.
_profd_tasks() {
	local folder name
	names=() notes=()
	for folder in "$@"; do
		{ IFS= read -r name <"$folder/comm"; } 2>/dev/null || continue
		names+=("${folder##*/}")
		notes+=("${name//[![:print:]]/?}")
	done
}

# _profd_ids LEAD VALUE: numbers of tasks, or the number of those whose name begins with the value.
_profd_ids() {
	local lead=$1 value=$2 i found=()
	if [[ $value == *,* ]]; then
		lead+=${value%,*},
		value=${value##*,}
	fi
	if [[ -z $value || $value == [0-9]* ]]; then
		_profd_offer "$lead"
		return
	fi
	for i in "${!names[@]}"; do
		[[ ${notes[i]} == "$value"* ]] || continue
		found+=("$i")
	done
	if [[ ${#found[@]} -eq 1 ]]; then
		lead+=${names[found[0]]}
		COMPREPLY=("${lead#"$kept"}")
		return
	fi
	for i in "${found[@]}"; do
		COMPREPLY+=("${names[i]} (${notes[i]})")
	done
	# Nothing in common with the others: they are listed, and what was typed stays.
	[[ ${#found[@]} -eq 0 ]] || COMPREPLY+=(' ')
}

# Names that need no quoting; others can be written as patterns.
_profd_comms() {
	local i
	local -A seen=()
	_profd_tasks /proc/[0-9]*/task/[0-9]*
	for i in "${!names[@]}"; do
		[[ ${notes[i]} != *[!A-Za-z0-9_.+:@%/-]* && ${notes[i]} ]] && seen[${notes[i]}]=1
	done
	names=("${!seen[@]}") notes=()
	_profd_offer "$1"
}

# Groups by their names ("/system.slice/"), or by their folders where one is begun.
_profd_cgroups() {
	local value=${2:-/} root=/sys/fs/cgroup folder
	[[ -e $root/cgroup.controllers ]] || root+=/unified
	[[ $value != /sys/* ]] || root=
	[[ $value == /* ]] || root+=/
	names=() notes=()
	for folder in "$root$value"*/; do
		[[ ! -d $folder ]] || names+=("${folder#"$root"}")
	done
	compopt -o filenames -o nospace
	_profd_offer "$1"
}

# Folders, files named like profiles, and the names that what was typed could become.
_profd_profiles() {
	local value=$2 name extension i
	if [[ $value == *[\"\'\\\`\$]* || $value == '~'* ]]; then
		compopt -o default # readline's own, which knows quotes
		return
	fi
	names=() notes=()
	while IFS= read -r name; do
		if [[ ! -d $name ]]; then
			for extension in "${extensions[@]}"; do
				[[ $name != *"$extension" ]] || break
			done
			[[ $name == *"$extension" ]] || continue
		fi
		names+=("$name")
	done < <(compgen -f -- "$value")
	for extension in "${extensions[@]}"; do
		for ((i = ${#extension}; i > 0; i--)); do
			[[ ${value##*/} != ?*"${extension:0:i}" ]] || break
		done
		# No part of it is there: only when nothing else could be meant.
		if ((i > 0)) || [[ ${#names[@]} -eq 0 && ${value##*/} && ${value##*/} != *.* ]]; then
			ends+=("${value:0:${#value}-i}$extension")
		fi
	done
	for name in "${ends[@]}"; do
		[[ -e $name ]] || names+=("$name")
	done
	compopt -o filenames
	_profd_offer "$1"
}

# _profd_complete KIND LEAD: the word is LEAD and the beginning of a value of this kind.
_profd_complete() {
	local value=${word#"$2"} names=() notes=() ends=()
	case $1 in
	text) names=("${choices[@]}") && _profd_offer "$2" ;;
	file) compopt -o default ;;
	profile) _profd_profiles "$2" "$value" ;;
	format) names=("${formats[@]}") notes=("${format_notes[@]}") && _profd_offer "$2" ;;
	pids) _profd_tasks /proc/[0-9]* && _profd_ids "$2" "$value" ;;
	tids) _profd_tasks /proc/[0-9]*/task/[0-9]* && _profd_ids "$2" "$value" ;;
	comm) _profd_comms "$2" ;;
	cgroup) _profd_cgroups "$2" "$value" ;;
	user) mapfile -t names < <(compgen -u) && _profd_offer "$2" ;;
	command) names=("${commands[@]}") notes=("${summaries[@]}") && _profd_offer "$2" ;;
	esac
}

# _profd_started INDEX: a command, beginning with words[INDEX], and its arguments.
_profd_started() {
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "${places[$1]}"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "${places[$1]}"
	else
		if [[ $1 -eq $((${#words[@]} - 1)) && $word != */* ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$word" | sort -u)
			COMPREPLY=("${COMPREPLY[@]#"$kept"}")
		fi
		compopt -o default # files, where there is none
	fi
}

# _profd_letters WORD: letters of options; fails unless one takes an argument, which then begins
# behind `lead`.
_profd_letters() {
	local i
	for ((i = 1; i < ${#1}; i++)); do
		lead=${1:0:i+1}
		_profd_value "$command" "-${1:i:1}" && return
	done
	return 1
}

_profd() {
	local IFS=$' \t\n' words places word kept command= kind lead pending= name i
	local commands summaries formats format_notes extensions choices options option_notes
	COMPREPLY=()
	_profd_tables
	_profd_split
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		if [[ $pending ]]; then
			pending=
			continue
		fi
		case ${words[i]} in
		--)
			_profd_starts_command "$command" && _profd_started $((i + 1))
			return
			;;
		--*=*) ;;
		--*) _profd_value "$command" "${words[i]}" && pending=$kind ;;
		-?*)
			_profd_letters "${words[i]}" && [[ $lead == "${words[i]}" ]] && pending=$kind
			;;
		*)
			[[ -z $command ]] || continue
			for name in "${commands[@]}"; do
				# As profd takes it: a name, or the beginning of just one.
				[[ $name == "${words[i]}"* ]] || continue
				[[ -z $command || $name == "${words[i]}" ]] || return
				command=$name
				[[ $name != "${words[i]}" ]] || break
			done
			[[ $command ]] || return
			;;
		esac
	done
	if [[ $pending ]]; then
		_profd_complete "$kind" ''
	elif [[ $word == --*=* ]]; then
		_profd_value "$command" "${word%%=*}" && _profd_complete "$kind" "${word%%=*}="
	elif [[ $word == -[!-]* ]]; then
		if _profd_letters "$word"; then
			_profd_complete "$kind" "$lead"
		else
			COMPREPLY=("$word")
		fi
	elif [[ $word == -* ]]; then
		local names=() notes=()
		_profd_options "$command"
		names=("${options[@]}") notes=("${option_notes[@]}")
		_profd_offer ''
	elif _profd_operand "$command"; then
		_profd_complete "$kind" ''
	fi
	return 0
}

complete -F _profd profd

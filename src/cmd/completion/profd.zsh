
# Above is what profd has, from its own tables; below, how it is offered.

# _profd_tasks FOLDER...: the numbers of tasks with their names, or those of tasks whose name begins
# with what was typed; several are separated by commas. Whoever runs a process chooses its name.
_profd_tasks() {
	local folder name
	local -a ids shown
	compset -P '*,'
	for folder in $@; do
		{ IFS= read -r name <$folder/comm } 2>/dev/null || continue
		[[ -z $PREFIX || $PREFIX == [0-9]* || $name == $PREFIX* ]] || continue
		ids+=($folder:t)
		shown+=("$folder:t  ${name//[^[:print:]]/?}")
	done
	if [[ -z $PREFIX || $PREFIX == [0-9]* ]]; then
		compadd -l -d shown -a ids
	elif (( $#ids )); then
		(( $#ids == 1 )) || compstate[insert]=menu
		compadd -U -l -d shown -a ids
	fi
}

_profd_pids() { _profd_tasks /proc/[0-9]*(N/) }
_profd_tids() { _profd_tasks /proc/[0-9]*/task/[0-9]*(N/) }

_profd_comms() {
	local file name
	local -aU names
	for file in /proc/[0-9]*/task/[0-9]*/comm(N); do
		{ IFS= read -r name <$file } 2>/dev/null || continue
		[[ -n $name && $name != *[^[:print:]]* ]] && names+=($name)
	done
	compadd -a names
}

# Groups by their names ("/system.slice"), or by their folders where one is begun.
_profd_cgroups() {
	local root=/sys/fs/cgroup
	[[ -e $root/cgroup.controllers ]] || root+=/unified
	if [[ $PREFIX == /sys/* ]]; then
		_path_files -/
	elif compset -P /; then
		_path_files -/ -W $root
	else
		_path_files -/ -P / -W $root
	fi
}

# Folders, files named like profiles, and the names that what was typed could become.
_profd_profiles() {
	local extension
	local -a globs names
	integer i ret=1
	for extension in $_profd_extensions; do
		globs+=("*$extension")
		for ((i = $#extension; i > 0; i--)); do
			[[ ${PREFIX:t} != ?*$extension[1,i] ]] || break
		done
		(( i == 0 )) || names+=("${PREFIX[1,$#PREFIX-i]}$extension")
	done
	_path_files -/ -g "(${(j:|:)globs})" && ret=0
	# No part of an extension is there: only when nothing else could be meant.
	if (( ret )) && [[ -n ${PREFIX:t} && ${PREFIX:t} != *.* ]]; then
		names=($PREFIX${^_profd_extensions})
	fi
	for extension in $names; do
		[[ -e ${(Q)extension} ]] || compadd -Q -- $extension && ret=0
	done
	return ret
}

_profd_formats() { _describe -V format _profd_format_names }
_profd_commands() { _describe -V command _profd_command_names }

# What stands behind "--" is a command with its own arguments.
_profd_started() {
	integer place=${words[(i)--]}
	(( place < CURRENT )) || return 1
	shift place words
	(( CURRENT -= place ))
	_normal
}

# As profd takes it: a name, or the beginning of just one.
_profd_command() {
	local -a names found
	names=(${_profd_command_names%%:*})
	found=(${(M)names:#$words[1]})
	(( $#found )) || found=(${(M)names:#$words[1]*})
	(( $#found == 1 )) && _profd_options_$found[1]
}

_profd() {
	local -a _profd_command_names _profd_format_names _profd_extensions
	_profd_tables
	_profd_options_
}

_profd "$@"

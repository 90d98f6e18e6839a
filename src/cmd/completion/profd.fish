
# Above is what profd has, from its own tables; below, how the command line is read, and what
# options' arguments can be.

# The command, by its name or the beginning of just one, and the words between it and the one at the
# cursor. Fails when there is no command yet.
function __profd_words
    set -l words (commandline -opc)[2..]
    while string match -q -- '-*' $words[1]
        set -e words[1]
    end
    set -q words[1]; or return 1
    set -l command $words[1]
    set -l names (__profd_commands | string split -f 1 \t)
    if not contains -- $command $names
        set command (string match -r -- '^'(string escape --style=regex -- $command)'.*' $names)
        test (count $command) -eq 1; or return 1
    end
    set words[1] $command
    printf '%s\n' $words
end

function __profd_without_command
    test (count (commandline -opc)) -eq 1
end

# Is the cursor behind this command's name, and not behind "--"?
function __profd_in
    set -l words (__profd_words); or return 1
    test $words[1] = $argv[1]; and not contains -- -- $words
end

# Is the cursor behind "--" and this command's name?
function __profd_behind
    set -l words (__profd_words); or return 1
    test $words[1] = $argv[1]; and contains -- -- $words
end

function __profd_started
    set -l words (__profd_words)
    set -l place (contains -i -- -- $words)
    set -e words[1..$place]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end

# What of the option's argument is there.
function __profd_value
    commandline -ct | string replace -r -- '^(--[^=]*=|-[^-])' ''
end

# Tasks, several separated by commas. Whoever runs a process chooses its name.
function __profd_tasks
    set -l before (__profd_value | string match -r -- '^[\da-fx,]*,')
    grep -aHs '' $argv/comm |
        string replace -rf -- '^/proc/(?:\d+/task/)?(\d+)/comm:(.*)$' "$before\$1\t\$2" |
        string replace -ra '[^[:print:]\t]' '?'
end

function __profd_pids
    __profd_tasks (string match -r '^/proc/\d+$' -- /proc/*)
end

function __profd_tids
    __profd_tasks (string match -r '^/proc/\d+/task/\d+$' -- /proc/*/task/*)
end

function __profd_comms
    cat /proc/*/task/*/comm 2>/dev/null | string match -r -- '^[[:print:]]+$' | sort -u
end

# Groups by their names ("/system.slice/"), or by their folders where one is begun.
function __profd_cgroups
    set -l value (__profd_value)
    set -l root /sys/fs/cgroup
    test -e $root/cgroup.controllers; or set root $root/unified
    string match -q -- '/sys/*' $value; and set root ''
    string match -q -- '/*' $value; or set value /$value
    for folder in $root$value*/
        string sub -s (math (string length -- $root) + 1) -- $folder
    end
end

# Folders, files named like profiles, and the names that what was typed could become.
function __profd_profiles
    set -l value (__profd_value)
    # No such command, so that these are files.
    set -l found (complete -C "__profd_no_command $value" | string split -f 1 \t)
    set -l ends (string join '|' / (string escape --style=regex -- (__profd_extensions)))
    set found (string match -r -- '^.*(?:'$ends')$' $found)
    set -l base (string split / -- $value)[-1]
    set -l is_new (test -z "$found"; and string match -qr '^[^.]+$' -- $base; and echo yes)
    set -l names
    for extension in (__profd_extensions)
        set -l size (string length -- $extension)
        while test $size -gt 0
            string match -qr -- '.'(string sub -l $size -- $extension | string escape --style=regex)'$' $base
            and break
            set size (math $size - 1)
        end
        # No part of it is there: only when nothing else could be meant.
        if test $size -gt 0 -o -n "$is_new"
            set -a names (string sub -e (math (string length -- $value) - $size) -- $value)$extension
        end
    end
    printf '%s\n' $found $names
end

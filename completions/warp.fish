# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_warp_global_optspecs
    string join \n r/repo= password-file= password-command= key-file= profile= q/quiet v/verbose no-progress json color= threads= accept-rollback h/help V/version
end

function __fish_warp_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_warp_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_warp_using_subcommand
    set -l cmd (__fish_warp_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c warp -n "__fish_warp_needs_command" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_needs_command" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_needs_command" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_needs_command" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_needs_command" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_needs_command" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_needs_command" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_needs_command" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_needs_command" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_needs_command" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_needs_command" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_needs_command" -s V -l version -d 'Print version'
complete -c warp -n "__fish_warp_needs_command" -f -a "init" -d 'Make a repository'
complete -c warp -n "__fish_warp_needs_command" -f -a "clone" -d 'Make a repository that has all that another one has'
complete -c warp -n "__fish_warp_needs_command" -f -a "commit" -d 'Record files as a new commit'
complete -c warp -n "__fish_warp_needs_command" -f -a "status" -d 'Show what has changed since the last commit'
complete -c warp -n "__fish_warp_needs_command" -f -a "log" -d 'Show commits, newest first'
complete -c warp -n "__fish_warp_needs_command" -f -a "show" -d 'Show a commit and what it changed, or a file of it'
complete -c warp -n "__fish_warp_needs_command" -f -a "diff" -d 'Compare commits with each other, or with live files'
complete -c warp -n "__fish_warp_needs_command" -f -a "ls" -d 'List the files of a commit'
complete -c warp -n "__fish_warp_needs_command" -f -a "cat" -d 'Print a file of a commit'
complete -c warp -n "__fish_warp_needs_command" -f -a "find" -d 'Find files by name in all commits'
complete -c warp -n "__fish_warp_needs_command" -f -a "stats" -d 'Show how large the repository is, and what it saves'
complete -c warp -n "__fish_warp_needs_command" -f -a "checkout" -d 'Bring the working directory, or some paths of it, to a commit'
complete -c warp -n "__fish_warp_needs_command" -f -a "switch" -d 'Go to a branch'
complete -c warp -n "__fish_warp_needs_command" -f -a "restore" -d 'Write files of a commit into any directory'
complete -c warp -n "__fish_warp_needs_command" -f -a "archive" -d 'Write a commit as a tar archive to standard output'
complete -c warp -n "__fish_warp_needs_command" -f -a "bundle" -d 'Carry history in one file: make a bundle, verify it, take it in'
complete -c warp -n "__fish_warp_needs_command" -f -a "branch" -d 'List, make, rename or delete branches'
complete -c warp -n "__fish_warp_needs_command" -f -a "tag" -d 'List, make or delete tags: names of commits that do not move'
complete -c warp -n "__fish_warp_needs_command" -f -a "audit" -d 'Audit a remote: whether it still has what it took'
complete -c warp -n "__fish_warp_needs_command" -f -a "remote" -d 'List, name or forget other repositories'
complete -c warp -n "__fish_warp_needs_command" -f -a "fetch" -d 'Bring commits of another repository here, and see where its branches stand'
complete -c warp -n "__fish_warp_needs_command" -f -a "pull" -d 'Fetch, and bring the current branch and its files forward'
complete -c warp -n "__fish_warp_needs_command" -f -a "push" -d 'Bring commits to another repository, and move its branches'
complete -c warp -n "__fish_warp_needs_command" -f -a "undo" -d 'Take the last commit back'
complete -c warp -n "__fish_warp_needs_command" -f -a "forget" -d 'Forget commits: those that are named, or those that no rule keeps'
complete -c warp -n "__fish_warp_needs_command" -f -a "gc" -d 'Free the room of what no commit needs any more'
complete -c warp -n "__fish_warp_needs_command" -f -a "undelete" -d 'Bring forgotten commits back'
complete -c warp -n "__fish_warp_needs_command" -f -a "rewrite" -d 'Drop files from history'
complete -c warp -n "__fish_warp_needs_command" -f -a "repack" -d 'Store what is stored already in fewer and smaller packs'
complete -c warp -n "__fish_warp_needs_command" -f -a "parity" -d 'Show how much parity packs have, or change it, for what is stored already, too'
complete -c warp -n "__fish_warp_needs_command" -f -a "check" -d 'Check that the repository holds what it says'
complete -c warp -n "__fish_warp_needs_command" -f -a "fsck" -d 'Check that the repository holds what it says'
complete -c warp -n "__fish_warp_needs_command" -f -a "repair" -d 'Make the members of a group whole again'
complete -c warp -n "__fish_warp_needs_command" -f -a "recover" -d 'Make the log anew, and the index, for a repository that has lost them'
complete -c warp -n "__fish_warp_needs_command" -f -a "verify" -d 'Verify a single pack file or a bundle, without a repository or password'
complete -c warp -n "__fish_warp_needs_command" -f -a "head" -d 'Show the last entry of the log, to compare between machines'
complete -c warp -n "__fish_warp_needs_command" -f -a "key" -d 'Manage the passwords and key files that open the repository'
complete -c warp -n "__fish_warp_needs_command" -f -a "config" -d 'Read and change lasting settings'
complete -c warp -n "__fish_warp_needs_command" -f -a "serve" -d 'Hold repositories for other machines'
complete -c warp -n "__fish_warp_needs_command" -f -a "bench" -d 'Measure how fast warp\'s parts are on this machine'
complete -c warp -n "__fish_warp_needs_command" -f -a "completions" -d 'Print what a shell needs to complete warp\'s arguments'
complete -c warp -n "__fish_warp_needs_command" -f -a "util" -d 'Generate files that the project keeps'
complete -c warp -n "__fish_warp_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand init" -l initial-branch -d 'Name of the first branch' -r
complete -c warp -n "__fish_warp_using_subcommand init" -l chunker -d 'What cuts files into pieces; it cannot be changed later' -r -f -a "chonkers\t'An edit moves a bounded number of cuts, whatever the content: for most'
seqcdc\t'Cuts where bytes rise: less work for each byte, but no bound on what an edit moves'
seqcdc-published\t'SeqCDC as its authors published it, without a key: for comparison only'"
complete -c warp -n "__fish_warp_using_subcommand init" -l chunk-size -d 'How finely files are cut; it cannot be changed later' -r -f -a "default\t'Pieces of about 45 KiB with chonkers, 16 KiB with seqcdc: for most'
backup\t'Pieces four times as large: for terabytes of large files'
fine\t'Pieces of about 11 KiB with chonkers, 8 KiB with seqcdc: finds more that repeats, at the price of a larger index'"
complete -c warp -n "__fish_warp_using_subcommand init" -l compression -d 'How commits compress: auto, off, or a zstd level from 1 to 22' -r
complete -c warp -n "__fish_warp_using_subcommand init" -l parity -d 'Share of each pack that may be damaged and is healed all the same, 1% to 50%, or none [default: 3%]' -r
complete -c warp -n "__fish_warp_using_subcommand init" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand init" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand init" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand init" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand init" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand init" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand init" -l bare -d 'Make a stand-alone repository, without a working directory'
complete -c warp -n "__fish_warp_using_subcommand init" -l no-encryption -d 'Do not encrypt: everybody who can read the folder reads all files'
complete -c warp -n "__fish_warp_using_subcommand init" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand init" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand init" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand init" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand init" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand clone" -l spread -d 'Clone from a group, whose places stand where URL stands, in their order' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -s b -l branch -d 'Bring the files of this branch' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l limit-upload -d 'Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l limit-download -d 'Receive at most so much a second, said in the same way' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l verify -d 'What is proved on the way: none, final, per-chunk, or "sampling N%"' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l connections -d 'Connections to a server' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand clone" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand clone" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand clone" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand clone" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand clone" -l bare -d 'Make a stand-alone repository, without a working directory'
complete -c warp -n "__fish_warp_using_subcommand clone" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand clone" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand clone" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand clone" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand clone" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand clone" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand commit" -s m -l message -d 'Describe the commit' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l tag -d 'Write a label into the commit, by which --tag of other commands finds it; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l host -d 'Record another name of the host' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l author -d 'Record another author' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l parent -d 'Compare with this commit instead of the newest one of the branch' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l branch -d 'Record on this branch' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l time -d 'Record another time, as in 2026-11-22 or "2026-11-22 13:58"' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l compression -d 'Compress with a zstd level from 1 to 22, auto, or off' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l delta-depth -d 'Let so many differences lie one above the other, 1 to 4: more are smaller, and slower to read' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l stdin-filename -d 'Name of the file that a stream is recorded as' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l files-from -d 'Read paths from a file, one a line; - is standard input' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -l files-from0 -d 'Read paths from a file, with a NUL byte behind each; - is standard input' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -s e -l exclude -d 'Leave out what matches a pattern, as in a .gitignore; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l exclude-file -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -l exclude-caches -d 'Leave out directories that are marked as caches by a CACHEDIR.TAG' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand commit" -l exclude-if-present -d 'Leave out directories that hold a file of this name; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l exclude-larger-than -d 'Leave out files larger than this, as in 100M or 1GiB' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -s x -l one-file-system -d 'Stay on the file system of each path' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand commit" -l git-ignore -d 'Obey .gitignore files, not only .warpignore' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand commit" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand commit" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand commit" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand commit" -s n -l dry-run -d 'Show what would be recorded, and write nothing'
complete -c warp -n "__fish_warp_using_subcommand commit" -s f -l force -d 'Read every file, whatever its times say'
complete -c warp -n "__fish_warp_using_subcommand commit" -l allow-empty -d 'Make a commit even if nothing has changed'
complete -c warp -n "__fish_warp_using_subcommand commit" -l amend -d 'Replace the last commit of the branch; without -m its message stays'
complete -c warp -n "__fish_warp_using_subcommand commit" -l no-delta -d 'Store what changed in full, not as differences to what the repository holds'
complete -c warp -n "__fish_warp_using_subcommand commit" -l stdin -d 'Record standard input as one file'
complete -c warp -n "__fish_warp_using_subcommand commit" -l stdin-from-command -d 'Record what a command prints as one file; write the command behind --. No commit is made if it fails'
complete -c warp -n "__fish_warp_using_subcommand commit" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand commit" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand commit" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand commit" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand commit" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand commit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand status" -s e -l exclude -d 'Leave out what matches a pattern, as in a .gitignore; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l exclude-file -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand status" -l exclude-caches -d 'Leave out directories that are marked as caches by a CACHEDIR.TAG' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand status" -l exclude-if-present -d 'Leave out directories that hold a file of this name; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l exclude-larger-than -d 'Leave out files larger than this, as in 100M or 1GiB' -r
complete -c warp -n "__fish_warp_using_subcommand status" -s x -l one-file-system -d 'Stay on the file system of each path' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand status" -l git-ignore -d 'Obey .gitignore files, not only .warpignore' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand status" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand status" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand status" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand status" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand status" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand status" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand status" -s s -l short -d 'Print a letter and a name for each change, nothing else'
complete -c warp -n "__fish_warp_using_subcommand status" -s z -l null -d 'End names with NUL bytes and do not escape them; implies --short'
complete -c warp -n "__fish_warp_using_subcommand status" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand status" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand status" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand status" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand status" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand log" -s n -l max-count -d 'At most N commits' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l path -d 'Only commits that were made of this path' -r -F
complete -c warp -n "__fish_warp_using_subcommand log" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand log" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand log" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand log" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand log" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand log" -l oneline -d 'One line for each commit'
complete -c warp -n "__fish_warp_using_subcommand log" -l graph -d 'Draw lines of descent'
complete -c warp -n "__fish_warp_using_subcommand log" -l all -d 'Start at all branches and tags'
complete -c warp -n "__fish_warp_using_subcommand log" -l reflog -d 'Show how a branch moved, newest first'
complete -c warp -n "__fish_warp_using_subcommand log" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand log" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand log" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand log" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand log" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand show" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand show" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand show" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand show" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand show" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand show" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand show" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand show" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand show" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand show" -s p -l patch -l text -d 'Print text differences'
complete -c warp -n "__fish_warp_using_subcommand show" -l stat -d 'Print how many bytes of each file are new, moved and unchanged'
complete -c warp -n "__fish_warp_using_subcommand show" -l name-status -d 'Print only a letter and a name: A added, D deleted, M modified, T type changed, U metadata, R renamed'
complete -c warp -n "__fish_warp_using_subcommand show" -l name-only -d 'Print only names'
complete -c warp -n "__fish_warp_using_subcommand show" -s z -l null -d 'End names with NUL bytes and do not escape them; for --name-only and --name-status'
complete -c warp -n "__fish_warp_using_subcommand show" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand show" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand show" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand show" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand show" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand diff" -s e -l exclude -d 'Leave out what matches a pattern, as in a .gitignore; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l exclude-file -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand diff" -l exclude-caches -d 'Leave out directories that are marked as caches by a CACHEDIR.TAG' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand diff" -l exclude-if-present -d 'Leave out directories that hold a file of this name; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l exclude-larger-than -d 'Leave out files larger than this, as in 100M or 1GiB' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -s x -l one-file-system -d 'Stay on the file system of each path' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand diff" -l git-ignore -d 'Obey .gitignore files, not only .warpignore' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand diff" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand diff" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand diff" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand diff" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand diff" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand diff" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand diff" -l exit-code -d 'Exit with 1 if there are differences'
complete -c warp -n "__fish_warp_using_subcommand diff" -s p -l patch -l text -d 'Print text differences'
complete -c warp -n "__fish_warp_using_subcommand diff" -l stat -d 'Print how many bytes of each file are new, moved and unchanged'
complete -c warp -n "__fish_warp_using_subcommand diff" -l name-status -d 'Print only a letter and a name: A added, D deleted, M modified, T type changed, U metadata, R renamed'
complete -c warp -n "__fish_warp_using_subcommand diff" -l name-only -d 'Print only names'
complete -c warp -n "__fish_warp_using_subcommand diff" -s z -l null -d 'End names with NUL bytes and do not escape them; for --name-only and --name-status'
complete -c warp -n "__fish_warp_using_subcommand diff" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand diff" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand diff" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand diff" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand diff" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand ls" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand ls" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand ls" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand ls" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand ls" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand ls" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand ls" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand ls" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand ls" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand ls" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand ls" -s l -l long -d 'Show mode, owner, size and time'
complete -c warp -n "__fish_warp_using_subcommand ls" -s R -l recursive -d 'Also what lies in directories, and in those, with whole paths'
complete -c warp -n "__fish_warp_using_subcommand ls" -s z -l null -d 'End names with NUL bytes and do not escape them'
complete -c warp -n "__fish_warp_using_subcommand ls" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand ls" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand ls" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand ls" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand ls" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand cat" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand cat" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand cat" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand cat" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand cat" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand cat" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand cat" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand cat" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand cat" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand cat" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand cat" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand cat" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand cat" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand cat" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand cat" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand cat" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand find" -l in -d 'Look only in this revision; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand find" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand find" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand find" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand find" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand find" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand find" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand find" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand find" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand find" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand find" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand find" -s i -l ignore-case -d 'Do not tell capitals from small letters'
complete -c warp -n "__fish_warp_using_subcommand find" -s l -l long -d 'Show mode, owner, size and time'
complete -c warp -n "__fish_warp_using_subcommand find" -s z -l null -d 'End names with NUL bytes and do not escape them'
complete -c warp -n "__fish_warp_using_subcommand find" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand find" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand find" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand find" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand find" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand find" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand stats" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand stats" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand stats" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand stats" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand stats" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand stats" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand stats" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand stats" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand stats" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand stats" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand stats" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand stats" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand stats" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand stats" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand stats" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand checkout" -s b -d 'Make a new branch there, and go to it' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -s e -l exclude -d 'Leave out what matches a pattern, as in a .gitignore; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -l exclude-file -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand checkout" -l exclude-caches -d 'Leave out directories that are marked as caches by a CACHEDIR.TAG' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand checkout" -l exclude-if-present -d 'Leave out directories that hold a file of this name; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -l exclude-larger-than -d 'Leave out files larger than this, as in 100M or 1GiB' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -s x -l one-file-system -d 'Stay on the file system of each path' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand checkout" -l git-ignore -d 'Obey .gitignore files, not only .warpignore' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand checkout" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand checkout" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand checkout" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand checkout" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand checkout" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand checkout" -s f -l force -d 'Overwrite content that no commit has'
complete -c warp -n "__fish_warp_using_subcommand checkout" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand checkout" -l verify -d 'Read every file back and compare it with the repository'
complete -c warp -n "__fish_warp_using_subcommand checkout" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand checkout" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand checkout" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand checkout" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand checkout" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand checkout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand switch" -s c -l create -d 'Make a new branch, and go to it' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -s e -l exclude -d 'Leave out what matches a pattern, as in a .gitignore; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -l exclude-file -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand switch" -l exclude-caches -d 'Leave out directories that are marked as caches by a CACHEDIR.TAG' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand switch" -l exclude-if-present -d 'Leave out directories that hold a file of this name; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -l exclude-larger-than -d 'Leave out files larger than this, as in 100M or 1GiB' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -s x -l one-file-system -d 'Stay on the file system of each path' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand switch" -l git-ignore -d 'Obey .gitignore files, not only .warpignore' -r -f -a "true\t''
false\t''"
complete -c warp -n "__fish_warp_using_subcommand switch" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand switch" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand switch" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand switch" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand switch" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand switch" -s f -l force -d 'Overwrite content that no commit has'
complete -c warp -n "__fish_warp_using_subcommand switch" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand switch" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand switch" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand switch" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand switch" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand switch" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand switch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand restore" -s s -l source -d 'The commit; without it the last one' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -s t -l target -d 'The directory to write into; it is made if it is not there' -r -F
complete -c warp -n "__fish_warp_using_subcommand restore" -l overwrite -d 'Which files that are there already are written over' -r -f -a "always\t'All'
if-changed\t'Those whose size or time differs'
if-newer\t'Those that are older than the commit\'s'
never\t'None'"
complete -c warp -n "__fish_warp_using_subcommand restore" -l include -d 'Only what matches a pattern; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -s e -l exclude -d 'Not what matches a pattern; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand restore" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand restore" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand restore" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand restore" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand restore" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand restore" -l delete -d 'Remove what the commit does not have; asks first in a directory that warp did not make'
complete -c warp -n "__fish_warp_using_subcommand restore" -s y -l yes -d 'Do not ask before removing'
complete -c warp -n "__fish_warp_using_subcommand restore" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand restore" -l verify -d 'Read every file back and compare it with the repository'
complete -c warp -n "__fish_warp_using_subcommand restore" -l numeric-ids -d 'Set owners by number, not by name'
complete -c warp -n "__fish_warp_using_subcommand restore" -l devices -d 'Make device nodes'
complete -c warp -n "__fish_warp_using_subcommand restore" -l setuid -d 'Set the setuid and setgid bits also where the owner cannot be set'
complete -c warp -n "__fish_warp_using_subcommand restore" -l xattrs-trusted -d 'Set extended attributes of the namespaces `trusted` and `security`'
complete -c warp -n "__fish_warp_using_subcommand restore" -l sparse -d 'Make holes for runs of zeros in all files, not only in those that had holes'
complete -c warp -n "__fish_warp_using_subcommand restore" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand restore" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand restore" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand restore" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand restore" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand archive" -l prefix -d 'Put this in front of every name' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l include -d 'Only what matches a pattern; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -s e -l exclude -d 'Not what matches a pattern; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l host -d 'Only commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l path -d 'Only commits of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand archive" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand archive" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand archive" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand archive" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand archive" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand archive" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand archive" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand archive" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand archive" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand archive" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand archive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -f -a "create" -d 'Write commits into a bundle'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -f -a "verify" -d 'Verify a bundle, without a password'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -f -a "unbundle" -d 'Take the commits of a bundle into a repository'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -f -a "list-heads" -d 'List the branches and tags of a bundle'
complete -c warp -n "__fish_warp_using_subcommand bundle; and not __fish_seen_subcommand_from create verify unbundle list-heads help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s m -l message -d 'Say what it is for; `bundle list-heads` shows it' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l all -d 'All commits'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s f -l force -d 'Overwrite FILE'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l sample -d 'Look only at N shards of its packs, drawn at random, instead of all' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l init -d 'Make a new repository, without a working directory, and take the bundle into that' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -s f -l force -d 'Also move branches and tags that would not go forward'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from unbundle" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from list-heads" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "create" -d 'Write commits into a bundle'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify a bundle, without a password'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "unbundle" -d 'Take the commits of a bundle into a repository'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "list-heads" -d 'List the branches and tags of a bundle'
complete -c warp -n "__fish_warp_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand branch" -s d -l delete -d 'Delete a branch whose commits another branch has' -r
complete -c warp -n "__fish_warp_using_subcommand branch" -s D -d 'Delete a branch in any case' -r
complete -c warp -n "__fish_warp_using_subcommand branch" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand branch" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand branch" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand branch" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand branch" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand branch" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand branch" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand branch" -s m -l move -d 'Rename: -m NEW the branch that you are on, -m OLD NEW any'
complete -c warp -n "__fish_warp_using_subcommand branch" -s R -l remotes -d 'Branches of remotes, as far as they were fetched; with -d: forget where one stood'
complete -c warp -n "__fish_warp_using_subcommand branch" -s a -l all -d 'Those of remotes, too'
complete -c warp -n "__fish_warp_using_subcommand branch" -l namespaces -d 'Show the opaque ids of groups of branches and tags, for a server\'s file of access'
complete -c warp -n "__fish_warp_using_subcommand branch" -s f -l force -d 'Move a branch that is there already, or rename over it'
complete -c warp -n "__fish_warp_using_subcommand branch" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand branch" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand branch" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand branch" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand branch" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand branch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand tag" -s d -l delete -d 'Delete a tag' -r
complete -c warp -n "__fish_warp_using_subcommand tag" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand tag" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand tag" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand tag" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand tag" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand tag" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand tag" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand tag" -s f -l force -d 'Move a tag that is there already'
complete -c warp -n "__fish_warp_using_subcommand tag" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand tag" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand tag" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand tag" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand tag" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand tag" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand audit" -l samples -d 'How many shards to ask for; 0: none, with --possession' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l limit-upload -d 'Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l limit-download -d 'Receive at most so much a second, said in the same way' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l remote-password-file -d 'Read the password of a remote that has other keys from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand audit" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand audit" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand audit" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand audit" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand audit" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand audit" -l possession -d 'Also ask for a keyed hash of every pack that can be asked for'
complete -c warp -n "__fish_warp_using_subcommand audit" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand audit" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand audit" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand audit" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand audit" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand audit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "add" -d 'Make a remote known'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "remove" -d 'Forget a remote, and where its branches stood'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "rm" -d 'Forget a remote, and where its branches stood'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "rename" -d 'Give a remote another name'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "set-url" -d 'Say that a remote lies elsewhere'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "show" -d 'Look at a remote: its branches there and here'
complete -c warp -n "__fish_warp_using_subcommand remote; and not __fish_seen_subcommand_from add remove rm rename set-url show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l spread -d 'Spread packs over several places, such that any K of K+M bring everything back: 4+2, 6+3, 10+4, 16+4' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l create -d 'Make a repository there, with the keys and passwords of this one and without commits'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from rename" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from set-url" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l remote-password-file -d 'Read the password of a remote that has other keys from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "add" -d 'Make a remote known'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Forget a remote, and where its branches stood'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "rename" -d 'Give a remote another name'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "set-url" -d 'Say that a remote lies elsewhere'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "show" -d 'Look at a remote: its branches there and here'
complete -c warp -n "__fish_warp_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand fetch" -l limit-upload -d 'Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l limit-download -d 'Receive at most so much a second, said in the same way' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l verify -d 'What is proved on the way: none, final, per-chunk, or "sampling N%"' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l connections -d 'Connections to a server' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand fetch" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand fetch" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand fetch" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand fetch" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand fetch" -l all -d 'From all remotes; one that cannot be reached is named, and the others are fetched from'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s p -l prune -d 'Forget branches that are no longer there'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s t -l tags -d 'Take all tags, and name those that stand elsewhere here'
complete -c warp -n "__fish_warp_using_subcommand fetch" -l no-tags -d 'Take no tags'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand fetch" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand fetch" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand fetch" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand fetch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand pull" -l limit-upload -d 'Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -l limit-download -d 'Receive at most so much a second, said in the same way' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -l verify -d 'What is proved on the way: none, final, per-chunk, or "sampling N%"' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -l connections -d 'Connections to a server' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand pull" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand pull" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand pull" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand pull" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand pull" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand pull" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand pull" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand pull" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand pull" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand pull" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand push" -l spread -d 'Push to a group, whose places stand where REMOTE stands, in their order; refspecs follow' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l allow-missing -d 'Push to a group though N of its members cannot be reached; `warp repair --group` brings them later what they missed' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l force-with-lease -d 'The same for those that stand where they stood when they were fetched, or at a commit; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l limit-upload -d 'Send at most so much a second: a number of KiB, or of bytes with a unit, as in 500K or 1.5M' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l limit-download -d 'Receive at most so much a second, said in the same way' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l verify -d 'What is proved on the way: none, final, per-chunk, or "sampling N%"' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l connections -d 'Connections to a server' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l remote-password-file -d 'Read the password of a remote that has other keys from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand push" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand push" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand push" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand push" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand push" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand push" -l all -d 'All branches'
complete -c warp -n "__fish_warp_using_subcommand push" -l tags -d 'All tags, too'
complete -c warp -n "__fish_warp_using_subcommand push" -l prune -d 'Delete branches that are gone here; with --tags also tags'
complete -c warp -n "__fish_warp_using_subcommand push" -s d -l delete -d 'Delete what the refspecs name'
complete -c warp -n "__fish_warp_using_subcommand push" -s f -l force -d 'Move branches and tags also where they do not go forward'
complete -c warp -n "__fish_warp_using_subcommand push" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand push" -l no-challenges -d 'Keep no challenges, by which `warp audit --possession` could tell whether whole packs are still there'
complete -c warp -n "__fish_warp_using_subcommand push" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand push" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand push" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand push" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand push" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand push" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand undo" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand undo" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand undo" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand undo" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand undo" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand undo" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand undo" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand undo" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand undo" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand undo" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand undo" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand undo" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand forget" -s g -l group-by -d 'Apply the rules to the commits of each host, paths or tags on their own; several with commas between them, or none' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s l -l keep-last -d 'Keep the last N commits; `unlimited` keeps all' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s H -l keep-hourly -d 'Keep the last commit of each of the last N hours that have one' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s d -l keep-daily -d 'The same for days' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s w -l keep-weekly -d 'The same for weeks, which begin on Monday' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s m -l keep-monthly -d 'The same for months' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-quarterly -d 'The same for quarters of a year' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s y -l keep-yearly -d 'The same for years' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within -d 'Keep all commits that are younger than this, seen from the last one, as in 30d or 2y5m7d3h' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-hourly -d 'Of the commits that are younger than this keep the last one of each hour' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-daily -d 'The same for days' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-weekly -d 'The same for weeks' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-monthly -d 'The same for months' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-quarterly -d 'The same for quarters of a year' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-within-yearly -d 'The same for years' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-tag -d 'Keep commits that have all of these tags of `warp commit --tag`; \'\' keeps those without any; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l keep-id -d 'Keep this commit; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l host -d 'Only commits of this host; with REV: what `latest` means' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l tag -d 'Only commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l path -d 'Only commits that were made of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand forget" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand forget" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand forget" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand forget" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand forget" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand forget" -s f -l force -d 'Forget also commits that branches stand on: these go back to the commit before that is left, or are deleted'
complete -c warp -n "__fish_warp_using_subcommand forget" -l unsafe-allow-remove-all -d 'Let the rules forget all commits of a host and source'
complete -c warp -n "__fish_warp_using_subcommand forget" -s n -l dry-run -d 'Show what would be forgotten and why the rest is kept, and change nothing'
complete -c warp -n "__fish_warp_using_subcommand forget" -s c -l compact -d 'Show ids and reasons alone'
complete -c warp -n "__fish_warp_using_subcommand forget" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand forget" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand forget" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand forget" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand forget" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand forget" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand gc" -l grace -d 'How long condemned packs stay: 0, or as in 90m, 12h, 3d' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -l max-unused -d 'Leave so much that is not needed rather than write packs anew: a share of what is needed, or a size' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -l max-repack-size -d 'Write at most so much of packs anew in this run' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand gc" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand gc" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand gc" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand gc" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand gc" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand gc" -l aggressive -d 'Leave nothing that is not needed: the same as --max-unused 0'
complete -c warp -n "__fish_warp_using_subcommand gc" -l conservative -d 'Write nothing anew: only packs that hold nothing that is needed go'
complete -c warp -n "__fish_warp_using_subcommand gc" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand gc" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand gc" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand gc" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand gc" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand gc" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand undelete" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand undelete" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand undelete" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand undelete" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand undelete" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand undelete" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand undelete" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand undelete" -l all -d 'Bring all back that can be read'
complete -c warp -n "__fish_warp_using_subcommand undelete" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand undelete" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand undelete" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand undelete" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand undelete" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand undelete" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s e -l exclude -d 'Drop what matches a pattern, as in a .gitignore and as `warp commit --exclude` has it; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l iexclude -d 'The same without telling capitals from small letters' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l exclude-file -l exclude-from -d 'Read such patterns from a file, one a line; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l path -d 'Drop this file, or this directory with all below it; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l host -d 'Only from commits of this host' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l tag -d 'Only from commits with this tag; may be repeated' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l path-filter -d 'Only from commits that were made of this path; may be repeated' -r -F
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l all -d 'Drop it from all commits: so it is unless revisions are named'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l keep-originals -d 'Leave the originals in history, on no branch'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s n -l dry-run -d 'Show what would be dropped, and change nothing'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand rewrite" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand repack" -l max-repack-size -d 'With --old-keys: write at most so much anew in this run' -r
complete -c warp -n "__fish_warp_using_subcommand repack" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand repack" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand repack" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand repack" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand repack" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand repack" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand repack" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand repack" -l aggressive -d 'Store everything anew, not only what lies in packs of less than 16 MiB; this takes long'
complete -c warp -n "__fish_warp_using_subcommand repack" -s n -l dry-run -d 'Show what would be gained, and write nothing'
complete -c warp -n "__fish_warp_using_subcommand repack" -l old-keys -d 'Seal anew what lies under keys from before the last `warp key rotate`, instead'
complete -c warp -n "__fish_warp_using_subcommand repack" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand repack" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand repack" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand repack" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand repack" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand repack" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand parity" -l max-repack-size -d 'Write at most so much of packs anew in this run' -r
complete -c warp -n "__fish_warp_using_subcommand parity" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand parity" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand parity" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand parity" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand parity" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand parity" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand parity" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand parity" -s n -l dry-run -d 'Show what would be written anew, and change nothing'
complete -c warp -n "__fish_warp_using_subcommand parity" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand parity" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand parity" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand parity" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand parity" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand parity" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand check" -l read-data-subset -d 'Read a part of the packs whole: `n/t`, `5%` or `10G`' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l max-age -d 'Spare packs that this client verified less than AGE ago, such as `30d`' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l group -d 'Look at the members of a group, a remote that was added with --spread, and tell how many of them each pack can still lose' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l seed -d 'Take the same packs whenever the same number is given' -r
complete -c warp -n "__fish_warp_using_subcommand check" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand check" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand check" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand check" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand check" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand check" -l fast -d 'Hash all files and verify the log, without the keys'
complete -c warp -n "__fish_warp_using_subcommand check" -l read-data -d 'Read all packs whole, and verify every object in them'
complete -c warp -n "__fish_warp_using_subcommand check" -l repair -d 'Heal what is damaged, as far as parity and second copies can'
complete -c warp -n "__fish_warp_using_subcommand check" -l salvage -d 'With --repair: give up what cannot be healed'
complete -c warp -n "__fish_warp_using_subcommand check" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand check" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand check" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand check" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand check" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l read-data-subset -d 'Read a part of the packs whole: `n/t`, `5%` or `10G`' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l max-age -d 'Spare packs that this client verified less than AGE ago, such as `30d`' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l group -d 'Look at the members of a group, a remote that was added with --spread, and tell how many of them each pack can still lose' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l seed -d 'Take the same packs whenever the same number is given' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand fsck" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand fsck" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand fsck" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand fsck" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand fsck" -l fast -d 'Hash all files and verify the log, without the keys'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l read-data -d 'Read all packs whole, and verify every object in them'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l repair -d 'Heal what is damaged, as far as parity and second copies can'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l salvage -d 'With --repair: give up what cannot be healed'
complete -c warp -n "__fish_warp_using_subcommand fsck" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand fsck" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand fsck" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand fsck" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand repair" -l group -d 'The group: the name of a remote that was added with --spread' -r
complete -c warp -n "__fish_warp_using_subcommand repair" -l replace -d 'Put another member, which is empty, in the place of one, and keep it in the remote' -r
complete -c warp -n "__fish_warp_using_subcommand repair" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand repair" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand repair" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand repair" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand repair" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand repair" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand repair" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand repair" -s n -l dry-run -d 'Show what would be done, and do nothing'
complete -c warp -n "__fish_warp_using_subcommand repair" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand repair" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand repair" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand repair" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand repair" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand repair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand recover" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand recover" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand recover" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand recover" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand recover" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand recover" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand recover" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand recover" -s n -l dry-run -d 'Show what would come back, and write nothing'
complete -c warp -n "__fish_warp_using_subcommand recover" -l force -d 'Also if the log seems whole: its last entries may be missing'
complete -c warp -n "__fish_warp_using_subcommand recover" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand recover" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand recover" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand recover" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand recover" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand verify" -l sample -d 'Look only at N shards, drawn at random, instead of all' -r
complete -c warp -n "__fish_warp_using_subcommand verify" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand verify" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand verify" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand verify" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand verify" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand verify" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand verify" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand verify" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand verify" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand verify" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand verify" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand verify" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand head" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand head" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand head" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand head" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand head" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand head" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand head" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand head" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand head" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand head" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand head" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand head" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand head" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "add" -d 'Add a password or a key file'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "list" -d 'List passwords and key files; * marks the one in use'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "remove" -d 'Remove a password or key file; the last one stays'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "passwd" -d 'Change the password or key file in use'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "rotate" -d 'Make new keys, which seal all that is written from now on'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "export" -d 'Print a recovery sheet, which opens the repository without any password'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "recover" -d 'Open the repository with a recovery sheet, and set a new password'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "import" -d 'Open the repository with a recovery sheet, and set a new password'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "transport" -d 'Print the public key by which servers know this client'
complete -c warp -n "__fish_warp_using_subcommand key; and not __fish_seen_subcommand_from add list remove passwd rotate export recover import transport help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l label -d 'A name for people, to tell it from others in `warp key list`; without it user@host' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l new-password-file -d 'Read the new password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l new-password-command -d 'Run a command that prints the new password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l new-key-file -d 'Take a file\'s bytes as a new key' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l new-password-file -d 'Read the new password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l new-password-command -d 'Run a command that prints the new password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l new-key-file -d 'Take a file\'s bytes as a new key' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from passwd" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l remove-others -d 'Give up all passwords and key files but the one in use: they open nothing any more'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l sheet -d 'The sheet, as text; - reads it from standard input' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l label -d 'A name for people, to tell it from others in `warp key list`; without it user@host' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l new-password-file -d 'Read the new password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l new-password-command -d 'Run a command that prints the new password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l new-key-file -d 'Take a file\'s bytes as a new key' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l sheet -d 'The sheet, as text; - reads it from standard input' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l label -d 'A name for people, to tell it from others in `warp key list`; without it user@host' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l new-password-file -d 'Read the new password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l new-password-command -d 'Run a command that prints the new password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l new-key-file -d 'Take a file\'s bytes as a new key' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from transport" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a password or a key file'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "list" -d 'List passwords and key files; * marks the one in use'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a password or key file; the last one stays'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "passwd" -d 'Change the password or key file in use'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "rotate" -d 'Make new keys, which seal all that is written from now on'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print a recovery sheet, which opens the repository without any password'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "recover" -d 'Open the repository with a recovery sheet, and set a new password'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "transport" -d 'Print the public key by which servers know this client'
complete -c warp -n "__fish_warp_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -f -a "get" -d 'Print the value of a key; exit code 1 if it has none'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -f -a "set" -d 'Give a key a value; comments in the file stay'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -f -a "unset" -d 'Take a key\'s value away'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -f -a "list" -d 'Print all values, and where each comes from'
complete -c warp -n "__fish_warp_using_subcommand config; and not __fish_seen_subcommand_from get set unset list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l repository -d 'Of the repository, not of the user'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l repository -d 'In the repository, for everybody'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l repository -d 'In the repository, for everybody'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l repository -d 'Of the repository, not of the user'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l keys -d 'Print all keys and what they mean'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "get" -d 'Print the value of a key; exit code 1 if it has none'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "set" -d 'Give a key a value; comments in the file stay'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "unset" -d 'Take a key\'s value away'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print all values, and where each comes from'
complete -c warp -n "__fish_warp_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand serve" -l root -d 'Folder of the repositories' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l listen -d 'Address or name, and UDP port, to listen at; [::] takes IPv4 as well' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -l host-key -d 'File of the server\'s own key, made on first use [default: host.key in $XDG_STATE_HOME/warp, else in ~/.local/state/warp]' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l access -d 'File that says who may do what [default: `access` in --root]' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l metrics -d 'Serve figures for Prometheus at this TCP address, which must be a loopback one' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -l log-format -d 'How the log on standard error is written' -r -f -a "text\t'A line for people'
json\t'An object for programs, one a line'"
complete -c warp -n "__fish_warp_using_subcommand serve" -l max-connections -d 'Most connections at once' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -l quota -d 'Most bytes of one repository, as in 500G [default: no limit but the disk]' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand serve" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand serve" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand serve" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand serve" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand serve" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand serve" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand serve" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l only -d 'Measure only these groups' -r -f -a "chunk\t'The chunkers'
hash\t'Ids of chunks'
merkle\t'Roots over the shards of a pack'
compress\t'zstd'
erasure\t'Parity of packs: making it, and healing with it'
cipher\t'Sealing and opening'
kdf\t'From password to key'
disk\t'Writing, reading, small files'"
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l size -d 'Bytes of each input, as in 64M [default: 64M in memory, 256M on the disk]' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l seconds -d 'About how long to measure each line' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l dir -d 'Measure the disk under this directory; what is written there is removed again' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -f -a "net" -d 'Measure the network side, over this machine\'s loopback'
complete -c warp -n "__fish_warp_using_subcommand bench; and not __fish_seen_subcommand_from net help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l size -d 'Bytes that each measurement carries' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l rounds -d 'How often each is measured' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l connections -d 'Connections that requests are spread over' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l requests -d 'Requests under way at once' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from net" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from help" -f -a "net" -d 'Measure the network side, over this machine\'s loopback'
complete -c warp -n "__fish_warp_using_subcommand bench; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand completions" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand completions" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand completions" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand completions" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand completions" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand completions" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand completions" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand completions" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand completions" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand completions" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand completions" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -f -a "man" -d 'Write all man pages'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -f -a "completions" -d 'Write the completions of all shells'
complete -c warp -n "__fish_warp_using_subcommand util; and not __fish_seen_subcommand_from man completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -s r -l repo -d 'The repository: a folder with a `.warp` in it, one made with `warp init --bare`, or warp://HOST/PATH' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l password-file -d 'Read the password from a file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l password-command -d 'Run a command that prints the password' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l key-file -d 'Open the repository with a key file' -r -F
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l profile -d 'Use the settings of this profile of the configuration' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always, also into files and pipes'
never\t'Never'"
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l threads -d 'Work with this many threads; 0: one for each core' -r
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -s q -l quiet -d 'Print nothing but data, warnings and errors'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -s v -l verbose -d 'Say more: once for new and changed files, twice for all'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l no-progress -d 'Show no progress'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l json -d 'Print JSON: one object a line, or for log one array'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -l accept-rollback -d 'Take a repository that is older than when it was last seen'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from help" -f -a "man" -d 'Write all man pages'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from help" -f -a "completions" -d 'Write the completions of all shells'
complete -c warp -n "__fish_warp_using_subcommand util; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "init" -d 'Make a repository'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "clone" -d 'Make a repository that has all that another one has'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "commit" -d 'Record files as a new commit'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "status" -d 'Show what has changed since the last commit'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "log" -d 'Show commits, newest first'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "show" -d 'Show a commit and what it changed, or a file of it'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "diff" -d 'Compare commits with each other, or with live files'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "ls" -d 'List the files of a commit'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "cat" -d 'Print a file of a commit'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "find" -d 'Find files by name in all commits'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "stats" -d 'Show how large the repository is, and what it saves'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "checkout" -d 'Bring the working directory, or some paths of it, to a commit'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "switch" -d 'Go to a branch'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "restore" -d 'Write files of a commit into any directory'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "archive" -d 'Write a commit as a tar archive to standard output'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "bundle" -d 'Carry history in one file: make a bundle, verify it, take it in'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "branch" -d 'List, make, rename or delete branches'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "tag" -d 'List, make or delete tags: names of commits that do not move'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "audit" -d 'Audit a remote: whether it still has what it took'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "remote" -d 'List, name or forget other repositories'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "fetch" -d 'Bring commits of another repository here, and see where its branches stand'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "pull" -d 'Fetch, and bring the current branch and its files forward'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "push" -d 'Bring commits to another repository, and move its branches'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "undo" -d 'Take the last commit back'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "forget" -d 'Forget commits: those that are named, or those that no rule keeps'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "gc" -d 'Free the room of what no commit needs any more'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "undelete" -d 'Bring forgotten commits back'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "rewrite" -d 'Drop files from history'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "repack" -d 'Store what is stored already in fewer and smaller packs'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "parity" -d 'Show how much parity packs have, or change it, for what is stored already, too'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "check" -d 'Check that the repository holds what it says'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "repair" -d 'Make the members of a group whole again'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "recover" -d 'Make the log anew, and the index, for a repository that has lost them'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "verify" -d 'Verify a single pack file or a bundle, without a repository or password'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "head" -d 'Show the last entry of the log, to compare between machines'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "key" -d 'Manage the passwords and key files that open the repository'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "config" -d 'Read and change lasting settings'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "serve" -d 'Hold repositories for other machines'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "bench" -d 'Measure how fast warp\'s parts are on this machine'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "completions" -d 'Print what a shell needs to complete warp\'s arguments'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "util" -d 'Generate files that the project keeps'
complete -c warp -n "__fish_warp_using_subcommand help; and not __fish_seen_subcommand_from init clone commit status log show diff ls cat find stats checkout switch restore archive bundle branch tag audit remote fetch pull push undo forget gc undelete rewrite repack parity check repair recover verify head key config serve bench completions util help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "create" -d 'Write commits into a bundle'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "verify" -d 'Verify a bundle, without a password'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "unbundle" -d 'Take the commits of a bundle into a repository'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "list-heads" -d 'List the branches and tags of a bundle'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "add" -d 'Make a remote known'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "remove" -d 'Forget a remote, and where its branches stood'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "rename" -d 'Give a remote another name'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "set-url" -d 'Say that a remote lies elsewhere'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "show" -d 'Look at a remote: its branches there and here'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "add" -d 'Add a password or a key file'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "list" -d 'List passwords and key files; * marks the one in use'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "remove" -d 'Remove a password or key file; the last one stays'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "passwd" -d 'Change the password or key file in use'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "rotate" -d 'Make new keys, which seal all that is written from now on'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "export" -d 'Print a recovery sheet, which opens the repository without any password'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "recover" -d 'Open the repository with a recovery sheet, and set a new password'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "transport" -d 'Print the public key by which servers know this client'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "get" -d 'Print the value of a key; exit code 1 if it has none'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "set" -d 'Give a key a value; comments in the file stay'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "unset" -d 'Take a key\'s value away'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "list" -d 'Print all values, and where each comes from'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from bench" -f -a "net" -d 'Measure the network side, over this machine\'s loopback'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from util" -f -a "man" -d 'Write all man pages'
complete -c warp -n "__fish_warp_using_subcommand help; and __fish_seen_subcommand_from util" -f -a "completions" -d 'Write the completions of all shells'

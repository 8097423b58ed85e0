#!/bin/sh
# The handler of the quickstart's function: puts one file into an archive.
#
#   standard input    the payload: the path of the file
#   standard output   the result: its SHA-256
#
# It may run more than once for one event, as every handler may: a crash can cut an attempt
# short after the work is done. So the copy is named after the event, and appears at once
# and whole: it's written beside its place, synced, then renamed. Attempts of one event
# never overlap, so one name for the unfinished copy is enough.
set -eu

IFS= read -r file || [ -n "$file" ]
echo "$HOLDFAST_REQUEST_ID $HOLDFAST_ATTEMPT" >>"$ATTEMPTS_LOG"

digest=$(sha256sum <"$file")
copy="$ARCHIVE/$HOLDFAST_REQUEST_ID.gz"
gzip -nc <"$file" >"$copy.part"
# Without this a power cut could leave an empty copy of an event that has succeeded.
sync "$copy.part"
mv "$copy.part" "$copy"
printf '%s' "${digest%% *}"

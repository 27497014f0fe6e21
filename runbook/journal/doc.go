/*
Package journal keeps the events of one run on disk, so that a run survives
its process, its terminal and its machine.

# Format, version 1

A journal is a text file. Its first line is

	raftmig journal 1

and every further line is one record:

	<checksum> <event as JSON>

The checksum is the CRC-32C, in eight hexadecimal digits, of the previous
record's checksum (as written; "00000000" for the first) followed by the JSON.
A record that is missing, repeated or out of order therefore does not check.

Records are only appended. Append returns when they are on disk, the folder
entry included. A record that a crash cut off, at the end of the file, is
removed when the journal is opened; whatever it was about to record is found
out by looking at the network. A record that does not check and is followed by
one that is whole is damage, and the journal is refused.
*/
package journal

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

Records are only appended, each made durable before the next is written. So a
crash can cut off the last line only: its end is missing, or parts of it read as
zeros. That line is removed when the journal is opened, and whatever it was
about to record is found out by looking at the network. Any other line that
does not check is damage, and the journal is refused.
*/
package journal

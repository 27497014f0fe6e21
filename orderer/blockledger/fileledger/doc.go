// Package fileledger keeps the blocks of channels in files laid out as
// Fabric's, so that either engine opens the other's folder (spec 7.9, A.5).
//
// # Files
//
//	<dir>/chains/<channel>/blockfile_%06d   records, one after the other; at most 64 MiB
//	<dir>/index                             one LevelDB for all channels
//	<dir>/pendingops/remove/<channel>.remove a removal that has begun
//
// A record is
//
//	varint(length of what follows)
//	varint(number) bytes(data_hash) bytes(previous_hash)
//	varint(count) bytes(envelope)*
//	varint(count) bytes(metadata)*
//
// where bytes is a varint length and the raw bytes. A block that does not fit
// into the current file starts the next one; a block larger than a file has
// one to itself.
//
// Keys of the index are <channel> 0x00 <key>:
//
//	blkMgrInfo          varints: last file, its size, last block, 1 if there is no block yet
//	n<number>           varints: file, offset of the record's length prefix, 0
//	indexCheckpointKey  varint: last block indexed
//
// <number> is one byte that counts the bytes following, then the number
// big-endian without leading zeros, so that keys sort as numbers do.
//
// # Durability
//
// Append writes a record with one write and one fdatasync and only then
// shows them to readers. The index is written without sync: it never runs
// ahead of the block files on disk, and whatever a crash takes from it is read
// back from them. There is one exception: before the first record of a new
// file blkMgrInfo is written with sync, because Fabric looks for lost blocks
// only in the file that blkMgrInfo names.
//
// # Opening
//
//  1. The index is opened; one that does not open is deleted and starts empty.
//  2. blkMgrInfo, the checkpoint and the record of the last indexed block are
//     compared with each other and with the files. If they disagree, the
//     channel's keys are deleted and all its files are read.
//  3. Records after the last indexed one are read, checked (number, previous
//     hash, data hash) and indexed.
//  4. A bad record at the end of the last file is a torn write that nobody was
//     told about: it is cut off. A bad record with good ones behind it is
//     damage, and the ledger does not open.
//
// An index entry that is missing or wrong later on makes the ledger read its
// files once more. It does so only while that may help: not for a file that
// cannot be read, nor again once the files were found damaged.
package fileledger

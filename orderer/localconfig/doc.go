// Package localconfig reads an orderer's local configuration: orderer.yaml in
// the folder that FABRIC_CFG_PATH names, overridden by ORDERER_* variables, with
// Fabric's names, defaults and refusals (spec 8.1, 8.2, 8.3).
//
// Rules of the format:
//   - Keys are compared without regard to case. An unknown key is an error that
//     names its line; all of them are reported together. The sections BCCSP and
//     Consensus are open, as in Fabric: what they do not know is noted and ignored.
//   - A variable's name is ORDERER_ and the key's path in capitals with "_" for
//     "."; an empty variable counts as unset. In open sections a variable only
//     overrides a key that the file has.
//   - A list may be written as a string "[a, b]". A text or list of PEM blocks may
//     be given as {File: path} and is then read from that file.
//   - Durations are Go durations; a uint32 may be written as a size (10 MB, 512 KB, 1g).
//   - Relative paths are taken from the file's folder for the keys that spec 8.1
//     lists, and from the working directory for all others.
package localconfig

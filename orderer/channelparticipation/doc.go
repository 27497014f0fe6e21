// Package channelparticipation is the channel participation API (spec 9): it
// lists, joins and removes channels over HTTP, in Fabric's forms, so that
// osnadmin and scripts need not know whose orderer answers.
//
// What a request asks for and how an outcome is answered is decided in
// decide.go, without I/O; joinblock.go judges the block of a join; handler.go
// reads requests, asks the registrar and writes the answers.
package channelparticipation

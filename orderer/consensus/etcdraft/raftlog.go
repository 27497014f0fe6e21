package etcdraft

import (
	"fmt"

	"go.uber.org/zap"
)

// libraryLogger lets the Raft library log through the channel's logger. What
// the library calls fatal is a panic here: the raft loop turns it into an error
// of its channel.
type libraryLogger struct{ *zap.SugaredLogger }

func (l libraryLogger) Warning(v ...interface{})                 { l.Warn(v...) }
func (l libraryLogger) Warningf(format string, v ...interface{}) { l.Warnf(format, v...) }
func (l libraryLogger) Panic(v ...interface{})                   { panic(fmt.Sprint(v...)) }
func (l libraryLogger) Panicf(format string, v ...interface{})   { panic(fmt.Sprintf(format, v...)) }
func (l libraryLogger) Fatal(v ...interface{})                   { l.Panic(v...) }
func (l libraryLogger) Fatalf(format string, v ...interface{})   { l.Panicf(format, v...) }

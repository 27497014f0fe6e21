// Package configtx decides what a channel configuration may become: read set,
// write set, versions and modification policies (spec 7.1). It is pure.
//
// A configuration is flattened into elements (groups, values, policies), each
// with a key, a version and the name of the policy that guards it. An update
//
//  1. must be for this channel, and every element of its read set must have
//     the version that it was read at;
//  2. has a delta: the written elements whose version is not the one read;
//  3. must raise each existing element of the delta by exactly one version,
//     with signatures that satisfy that element's current mod_policy; new
//     elements begin at 0 and are guarded by the group that takes them in;
//  4. gives a new configuration: the delta laid over the current elements, and
//     every group's members as its newest version lists them.
//
// Checks go through the elements in the order of their keys, so the first
// error is always the same one; in Fabric it depends on chance.
//
// Minimal updates are computed by fabric-config: New(config), set the
// ChannelGroup of UpdatedConfig(), ComputeMarshaledUpdate(channelID).
package configtx

// Package channelconfig gives the values of a channel configuration their
// meaning and checks them (spec 7.2): a Bundle is one consistent view, a
// BundleSource the current one of a running channel. It is pure.
//
// A bundle decodes everything when it is made and never changes; its maps and
// messages are shared, not copied. Whoever needs several answers from one
// configuration holds on to one bundle. The MSPs are most of its cost: a
// Factory sets each up once for all channels and updates.
//
// Whether the capabilities are supported is not asked here: a node must be able
// to read a configuration that it does not support in order to say so.
package channelconfig

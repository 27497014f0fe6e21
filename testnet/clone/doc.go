// Package clone works out a testnet of the shape of a real network from the
// network's channel configurations. It is pure: configurations in,
// configurations out, keys and addresses are handed in.
//
// What is kept is the configuration itself, group by group: channels,
// organizations and their MSP IDs, policies, capabilities, batch sizes and
// timeouts, consensus type and options, values that this program does not
// know. What is replaced is what belongs to other machines or other people:
// MSPs, addresses, brokers, consenters' certificates, and principals that
// name a certificate or a CA. Shape.NotKept says every such difference.
//
//  1. Read takes the configurations apart and cleans them.
//  2. The caller makes keys for Shape.Orgs and finds ports for Shape.Orderers.
//  3. Shape.Groups gives each channel's configuration with those put in.
package clone

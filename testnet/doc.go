// Package testnet makes and runs rehearsal networks: Kafka ordering services
// like the one that is to be migrated, on one machine.
//
// A network is a folder: keys, configuration, genesis block, a folder for each
// orderer and for the brokers, the inventory raftmig.yaml that the runbook
// uses, and manifest.json that says what is there. Nodes are processes of
// their own; they outlive the raftmig that started them, and any later one
// controls them through their pid files.
package testnet

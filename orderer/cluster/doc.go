// Package cluster is how orderers of a Raft cluster talk to each other (spec 5):
// the service orderer.Cluster/Step in both directions and the pulling of blocks
// through AtomicBroadcast/Deliver.
//
// Wiring, in the order a server does it:
//
//	tls := cluster.ClientTLS{Certificate: …, RootCAs: func() *x509.CertPool {…}}
//	comm := cluster.NewComm(cluster.Config{TLS: tls, …})              // one per process
//	pullers := cluster.NewPullerFactory(cluster.PullerConfig{TLS: tls, …})
//	consenter, err := etcdraft.New(etcdraft.Options{Comm: comm, Pullers: pullers, …})
//	cluster.Register(grpcServer, cluster.NewService(cluster.ServiceConfig{Comm: comm, Handler: consenter, …}))
//	…
//	comm.Shutdown()
//
// Who is who is decided by public keys, so that a certificate renewed with the
// same key needs no configuration update: an incoming message is from the
// consenter whose client certificate has the key of the TLS client certificate
// (checked for every message, per channel); an outgoing connection requires the
// server to present the key of the consenter's server certificate, besides the
// usual verification against the root certificates (spec 5.2).
//
// One gRPC connection leads to each remote node, shared by all channels. On it
// each channel has one stream for consensus messages and one for transactions,
// made when first needed, each with a bounded queue: a consensus message that
// finds it full ends the stream (Raft sends again), a transaction waits (spec 5.3).
// Servers answer nothing on a Step stream; to each other our orderers send
// transactions with a method that does (submit.go).
package cluster

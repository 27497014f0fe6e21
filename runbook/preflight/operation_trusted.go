package preflight

var raftTrusted = check{
	id:    consentersTrusted.id,
	title: consentersTrusted.title,
	hint:  "Add the TLS CA to tls_root_certs of an orderer organisation in that channel's configuration first (raftmig channel update); the orderers refuse the consenter otherwise.",
	ok:    consentersTrusted.ok,
	judge: consentersTrusted.judge,
}

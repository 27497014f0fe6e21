package cryptogen

// Node is an orderer that a configuration describes.
type Node struct {
	Domain     string
	Hostname   string
	CommonName string
}

// OrdererNodes returns all orderers that c describes, in its order, with their
// names filled in.
func OrdererNodes(c *Config) ([]Node, error) {
	orgs, err := render(c)
	if err != nil {
		return nil, err
	}
	var nodes []Node
	for _, o := range orgs {
		if o.kind.role != roleOrderer {
			continue
		}
		for _, n := range o.nodes {
			nodes = append(nodes, Node{Domain: o.domain, Hostname: n.hostname, CommonName: n.commonName})
		}
	}
	return nodes, nil
}

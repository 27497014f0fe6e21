package inventory

import "fmt"

// Administrators are the identities that sign configuration updates, in this
// order: Admin, if it is set, then Admins. A valid inventory has at least one.
// The first is the one that reads channels and sends updates.
func (n *Network) Administrators() []Identity {
	var all []Identity
	if n.Admin != (Identity{}) || len(n.Admins) == 0 {
		all = append(all, n.Admin)
	}
	return append(all, n.Admins...)
}

// adminFields names the fields of Administrators.
func (n *Network) adminFields() []string {
	var fields []string
	if n.Admin != (Identity{}) || len(n.Admins) == 0 {
		fields = append(fields, "admin")
	}
	for i := range n.Admins {
		fields = append(fields, fmt.Sprintf("admins[%d]", i))
	}
	return fields
}

func (n *Network) validateAdmins(f *faults) {
	seen := newRegister(f)
	for i, at := range n.adminFields() {
		id := n.Administrators()[i]
		validateIdentity(f, at, &id)
		if id.MSPDir != "" {
			seen.once("MSP folder", id.MSPDir, at+".mspDir", "An administrator signs once; list each only once")
		}
	}
}

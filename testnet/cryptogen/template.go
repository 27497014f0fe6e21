package cryptogen

// Template is a crypto-config.yaml to start from: one orderer organization
// with three nodes, two peer organizations.
const Template = `# Organizations that run ordering nodes.
OrdererOrgs:
  - Name: Orderer
    Domain: example.com
    # Certificates carry their role as organizational unit; without it the
    # admin's certificate is listed in every MSP (admincerts). Needs the channel
    # capability V1_4_3.
    EnableNodeOUs: true
    # Nodes by name. SANS are further names and addresses of the TLS
    # certificate; the common name and the host name are always among them.
    Specs:
      - Hostname: orderer0
        SANS: [localhost, 127.0.0.1]
      - Hostname: orderer1
        SANS: [localhost, 127.0.0.1]
      - Hostname: orderer2
        SANS: [localhost, 127.0.0.1]

# Organizations that run peers.
PeerOrgs:
  - Name: Org1
    Domain: org1.example.com
    EnableNodeOUs: true
    # CA:
    #   Hostname: ca                  # gives ca.org1.example.com
    #   Country: US
    #   Province: California
    #   Locality: San Francisco
    #   OrganizationalUnit: Fabric
    #   StreetAddress: Main Street 1
    #   PostalCode: "94105"
    # Nodes by number: peer0 .. peer<Count-1>.
    Template:
      Count: 1
      # Start: 5
      # Hostname: "{{.Prefix}}{{.Index}}"
      SANS: [localhost, 127.0.0.1]
    # Users beside Admin.
    Users:
      Count: 1
  - Name: Org2
    Domain: org2.example.com
    EnableNodeOUs: true
    Template:
      Count: 1
      SANS: [localhost, 127.0.0.1]
    Users:
      Count: 1
`

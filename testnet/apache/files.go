package apache

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"
	"text/template"
)

// Cluster is what a Kafka cluster on one machine is made from.
type Cluster struct {
	Host string
	// Brokers and ZooKeeper by number.
	Brokers   []Broker
	ZooKeeper []Node
	// Replication is default.replication.factor (N), MinISR min.insync.replicas
	// (M): 1 < M < N < number of brokers.
	Replication, MinISR int
	// AbsoluteMaxBytes of the channels, which all sizes are derived from.
	AbsoluteMaxBytes uint32
	// TLS has orderers and brokers authenticate each other with the certificates
	// in files TLSKeyFile and TLSCAFile of the brokers' folders.
	TLS bool
	// User and Password are those of SASL/PLAIN; "" for none.
	User, Password string
}

// Broker is a broker's ports.
type Broker struct {
	// Client is what orderers connect to.
	Client int
	// Internal is a listener without TLS and SASL for the brokers among
	// themselves, and for raftmig; it exists if Client has one of them.
	Internal int
}

// security is the protocol of the clients' listener.
func (c *Cluster) security() string {
	switch {
	case c.TLS && c.User != "":
		return "SASL_SSL"
	case c.TLS:
		return "SSL"
	case c.User != "":
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// Node is a ZooKeeper node's ports.
type Node struct {
	Client   int `json:"client"`
	Quorum   int `json:"quorum"`
	Election int `json:"election"`
}

// margin is what a message takes beyond its block; the guide says that 1 MiB is
// enough for sure.
const margin = 1 << 20

// MaxMessageBytes is message.max.bytes and replica.fetch.max.bytes.
func (c *Cluster) MaxMessageBytes() int { return int(c.AbsoluteMaxBytes) + margin }

// maxRequestBytes is socket.request.max.bytes: Kafka's default, or what the
// largest message needs.
func (c *Cluster) maxRequestBytes() int { return max(100<<20, c.MaxMessageBytes()+margin) }

// heap is the heap of a broker in MiB: messages are held whole.
func (c *Cluster) heap() int { return 256 + 4*max(0, c.MaxMessageBytes()>>20-16) }

// ZooKeeperName and BrokerName are names of processes.
func ZooKeeperName(i int) string { return fmt.Sprintf("zookeeper%d", i) }

// BrokerName is the name of a broker, whose broker.id is i.
func BrokerName(i int) string { return fmt.Sprintf("kafka%d", i) }

// Dir is the folder of a process, relative to the network's folder.
func Dir(name string) string { return path.Join("kafka", name) }

// Names of files in the folder of a process.
const (
	brokerFile    = "server.properties"
	zooKeeperFile = "zoo.cfg"
	logFile       = "log4j.properties"
	// TLSKeyFile has a broker's private key and certificate, TLSCAFile the
	// authorities of the orderers' certificates; both PEM.
	TLSKeyFile = "tls.pem"
	TLSCAFile  = "clients-ca.pem"
	// DataDir is what a backup must contain.
	DataDir = "data"
)

var brokerText = template.Must(template.New("broker").Parse(`# {{.Name}}: made by raftmig testnet.
broker.id={{.ID}}
{{if eq .Security "PLAINTEXT" -}}
listeners=PLAINTEXT://{{.Host}}:{{.Port}}
{{else -}}
listeners=CLIENT://{{.Host}}:{{.Port}},INTERNAL://{{.Host}}:{{.Internal}}
listener.security.protocol.map=CLIENT:{{.Security}},INTERNAL:PLAINTEXT
inter.broker.listener.name=INTERNAL
{{end -}}
{{if .TLS -}}
ssl.keystore.type=PEM
ssl.keystore.location={{.KeyFile}}
ssl.truststore.type=PEM
ssl.truststore.location={{.CAFile}}
ssl.client.auth=required
{{end -}}
{{if .User -}}
sasl.enabled.mechanisms=PLAIN
listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_{{.User}}="{{.Password}}";
{{end -}}
zookeeper.connect={{.ZooKeeper}}
log.dirs=data

# What Fabric's guide asks for: no block may be lost or ordered twice.
unclean.leader.election.enable=false
default.replication.factor={{.N}}
min.insync.replicas={{.M}}
# AbsoluteMaxBytes ({{.AbsoluteMaxBytes}}) < replica.fetch.max.bytes <= message.max.bytes <= socket.request.max.bytes
message.max.bytes={{.Max}}
replica.fetch.max.bytes={{.Max}}
socket.request.max.bytes={{.Request}}
# Nothing is deleted: an orderer reads on from where it stopped.
log.retention.ms=-1
log.retention.bytes=-1
log.cleaner.enable=false
num.partitions=1
auto.create.topics.enable=true

# Small and quick: everything is on one machine.
offsets.topic.replication.factor={{.N}}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={{.N}}
transaction.state.log.num.partitions=1
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=1
log.index.size.max.bytes=262144
replica.fetch.wait.max.ms=100
zookeeper.session.timeout.ms=6000
zookeeper.connection.timeout.ms=30000
# All brokers stop at once, so there may be nobody to hand a partition to.
controlled.shutdown.max.retries=1
controlled.shutdown.retry.backoff.ms=200
`))

// forceSync stays at its default: what ZooKeeper acknowledged is on disk.
var zooKeeperText = template.Must(template.New("zookeeper").Parse(`# {{.Name}}: made by raftmig testnet.
tickTime=1000
initLimit=20
syncLimit=10
dataDir=data
clientPort={{.Client}}
clientPortAddress={{.Host}}
maxClientCnxns=0
standaloneEnabled=false
admin.enableServer=false
4lw.commands.whitelist=srvr,ruok,mntr,stat
preAllocSize=1024
{{range .Servers}}{{.}}
{{end}}`))

const logText = `log4j.rootLogger=WARN, out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.PatternLayout
log4j.appender.out.layout.ConversionPattern=[%d] %p %m (%c)%n
log4j.logger.kafka.server.KafkaServer=INFO
log4j.logger.kafka.controller=WARN
log4j.logger.state.change.logger=WARN
`

// Files returns the content of all files by their path relative to the
// network's folder.
func (c *Cluster) Files() (map[string][]byte, error) {
	files := map[string][]byte{}
	var servers, connect []string
	for i, z := range c.ZooKeeper {
		servers = append(servers, fmt.Sprintf("server.%d=%s:%d:%d", i+1, c.Host, z.Quorum, z.Election))
		connect = append(connect, fmt.Sprintf("%s:%d", c.Host, z.Client))
	}
	render := func(name, file string, t *template.Template, data map[string]any) error {
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			return err
		}
		files[path.Join(Dir(name), file)] = b.Bytes()
		files[path.Join(Dir(name), logFile)] = []byte(logText)
		return nil
	}
	for i, z := range c.ZooKeeper {
		name := ZooKeeperName(i)
		err := render(name, zooKeeperFile, zooKeeperText, map[string]any{
			"Name": name, "Host": c.Host, "Client": z.Client, "Servers": servers,
		})
		if err != nil {
			return nil, err
		}
		files[path.Join(Dir(name), DataDir, "myid")] = []byte(strconv.Itoa(i+1) + "\n")
	}
	for i, b := range c.Brokers {
		name := BrokerName(i)
		err := render(name, brokerFile, brokerText, map[string]any{
			"Name": name, "ID": i, "Host": c.Host, "Port": b.Client, "Internal": b.Internal, "Security": c.security(),
			"TLS": c.TLS, "KeyFile": TLSKeyFile, "CAFile": TLSCAFile, "User": c.User, "Password": c.Password, "ZooKeeper": strings.Join(connect, ","),
			"N": c.Replication, "M": c.MinISR, "AbsoluteMaxBytes": c.AbsoluteMaxBytes,
			"Max": c.MaxMessageBytes(), "Request": c.maxRequestBytes(),
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// quick are the options of a JVM that shares few cores with many others.
var quick = []string{
	"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-XX:-UsePerfData", "-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
}

func (in *Installation) command(heap int, class, file string) []string {
	argv := append([]string{in.Java, fmt.Sprintf("-Xmx%dm", heap), "-Xms64m"}, quick...)
	return append(argv, "-Dlog4j.configuration=file:"+logFile, "-cp", path.Join(in.Libs, "*"), class, file)
}

// BrokerCommand is the command of a broker; its working folder is the broker's.
func (in *Installation) BrokerCommand(c *Cluster) []string {
	return in.command(c.heap(), "kafka.Kafka", brokerFile)
}

// ZooKeeperCommand is the command of a ZooKeeper node; its working folder is the node's.
func (in *Installation) ZooKeeperCommand() []string {
	return in.command(128, "org.apache.zookeeper.server.quorum.QuorumPeerMain", zooKeeperFile)
}

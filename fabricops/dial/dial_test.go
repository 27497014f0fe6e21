package dial

import (
	"net"
	"testing"
	"time"

	"github.com/golang/protobuf/ptypes/empty"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"raftmig/fabricops/inventory"
)

// lossy is a listener whose connections are there as late as behind a line that
// loses the first two packets: the third is sent after 3 s.
type lossy struct{ net.Listener }

func (l lossy) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		time.Sleep(3 * time.Second)
	}
	return conn, err
}

func TestANodeBehindALossyLineIsReached(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	go func() { _ = server.Serve(lossy{l}) }() // ends when stopped
	defer server.Stop()
	p := New([]inventory.Orderer{{Process: inventory.Process{Name: "o1", Address: l.Addr().String()}}}, nil)
	defer p.Close()
	conn, err := p.Conn("o1")
	require.NoError(t, err)
	err = conn.Invoke(t.Context(), "/x.Y/Z", &empty.Empty{}, &empty.Empty{})
	require.Equal(t, codes.Unimplemented, status.Code(err), "%v", err)
}

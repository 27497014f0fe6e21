package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What operators know from Fabric's logs (spec 5.2, 5.3, 5.5); where an error comes
// about is tested elsewhere.
func TestErrorsHaveFabricsTexts(t *testing.T) {
	for want, err := range map[string]error{
		"badly formatted message, cannot extract channel":            errNoChannel,
		"no TLS certificate sent":                                    errNoClientCert,
		"certificate extracted from TLS connection isn't authorized": errUnauthorized,
		"message is neither a Submit nor a Consensus request":        errNoPayload,
		"send queue overflown":                                       ErrOverflow,
		"rpc timeout expired":                                        ErrRPCTimeout,
		"aborted":                                                    ErrAborted,
		"communication has been shut down":                           ErrShutdown,
		"forbidden pulling the channel":                              ErrForbidden,
		"service unavailable":                                        ErrServiceUnavailable,
	} {
		require.EqualError(t, err, want)
	}
	b := chainOf(2)
	b[1].Data.Data[0] = []byte{1}
	require.ErrorContains(t, verifyHashes(b, 1), "doesn't match claimed hash (")
}

package comm

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"raftmig/orderer/metrics"
)

// Metrics are the metrics of gRPC servers (spec 4.10), made once.
type Metrics struct {
	unaryReceived, unaryCompleted, streamReceived, streamCompleted metrics.Counter
	messagesReceived, messagesSent, opened, closed                 metrics.Counter
	unaryDuration, streamDuration                                  metrics.Histogram
}

// NewMetrics makes the metrics.
func NewMetrics(p metrics.Provider) *Metrics {
	call := []string{"service", "method"}
	done := []string{"service", "method", "code"}
	opts := func(name, help string, labels []string) metrics.Opts {
		return metrics.Opts{
			Namespace: "grpc", Subsystem: "server", Name: name, Help: help, LabelNames: labels,
			StatsdFormat: "%{#fqname}.%{" + strings.Join(labels, "}.%{") + "}",
		}
	}
	connections := func(name, help string) metrics.Opts {
		return metrics.Opts{Namespace: "grpc", Subsystem: "comm", Name: name, Help: help}
	}
	return &Metrics{
		unaryReceived:    p.NewCounter(opts("unary_requests_received", "The number of unary requests received.", call)),
		unaryCompleted:   p.NewCounter(opts("unary_requests_completed", "The number of unary requests completed.", done)),
		unaryDuration:    p.NewHistogram(opts("unary_request_duration", "The time to complete a unary request.", done)),
		streamReceived:   p.NewCounter(opts("stream_requests_received", "The number of stream requests received.", call)),
		streamCompleted:  p.NewCounter(opts("stream_requests_completed", "The number of stream requests completed.", done)),
		streamDuration:   p.NewHistogram(opts("stream_request_duration", "The time to complete a stream request.", done)),
		messagesReceived: p.NewCounter(opts("stream_messages_received", "The number of stream messages received.", call)),
		messagesSent:     p.NewCounter(opts("stream_messages_sent", "The number of stream messages sent.", call)),
		opened:           p.NewCounter(connections("conn_opened", "gRPC connections opened. Open minus closed is the active number of connections.")),
		closed:           p.NewCounter(connections("conn_closed", "gRPC connections closed. Open minus closed is the active number of connections.")),
	}
}

func split(fullMethod string) (service, method string) {
	service, method, _ = strings.Cut(strings.TrimPrefix(fullMethod, "/"), "/")
	return service, method
}

func (m *Metrics) unary(log *zap.SugaredLogger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		service, method := split(info.FullMethod)
		m.unaryReceived.With("service", service, "method", method).Add(1)
		start := time.Now()
		resp, err := handler(ctx, req)
		took, code := time.Since(start), status.Code(err).String()
		m.unaryCompleted.With("service", service, "method", method, "code", code).Add(1)
		m.unaryDuration.With("service", service, "method", method, "code", code).Observe(took.Seconds())
		completed(ctx, log, "unary call completed", info.FullMethod, err, took)
		return resp, err
	}
}

func (m *Metrics) stream(log *zap.SugaredLogger) grpc.StreamServerInterceptor {
	return func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		service, method := split(info.FullMethod)
		m.streamReceived.With("service", service, "method", method).Add(1)
		start := time.Now()
		err := guarded(log, func() error {
			return handler(srv, &countedStream{
				ServerStream: stream,
				received:     m.messagesReceived.With("service", service, "method", method),
				sent:         m.messagesSent.With("service", service, "method", method),
			})
		})
		took, code := time.Since(start), status.Code(err).String()
		m.streamCompleted.With("service", service, "method", method, "code", code).Add(1)
		m.streamDuration.With("service", service, "method", method, "code", code).Observe(took.Seconds())
		completed(stream.Context(), log, "streaming call completed", info.FullMethod, err, took)
		return err
	}
}

// guarded turns a panic of a handler, which is a programmer's error, into the
// end of its call.
func guarded(log *zap.SugaredLogger, handle func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Errorf("Client triggered panic: %v\n%s", r, debug.Stack())
			err = status.Error(codes.Internal, "internal error")
		}
	}()
	return handle()
}

// completed writes the line that a real orderer writes for every call.
func completed(ctx context.Context, log *zap.SugaredLogger, text, fullMethod string, err error, took time.Duration) {
	service, method := split(fullMethod)
	fields := []any{"grpc.service", service, "grpc.method", method, "grpc.peer_address", RemoteAddress(ctx)}
	if cert := ClientCertificate(ctx); cert != nil {
		fields = append(fields, "grpc.peer_subject", cert.Subject.String())
	}
	if err != nil {
		fields = append(fields, "error", err.Error())
	}
	log.Infow(text, append(fields, "grpc.code", status.Code(err).String(), "grpc.call_duration", took)...)
}

type countedStream struct {
	grpc.ServerStream
	received, sent metrics.Counter
}

func (s *countedStream) RecvMsg(m any) error {
	err := s.ServerStream.RecvMsg(m)
	if err == nil {
		s.received.Add(1)
	}
	return err
}

func (s *countedStream) SendMsg(m any) error {
	err := s.ServerStream.SendMsg(m)
	if err == nil {
		s.sent.Add(1)
	}
	return err
}

// connections counts connections.
func (m *Metrics) connections() stats.Handler { return connectionCounter{m} }

type connectionCounter struct{ m *Metrics }

func (connectionCounter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connectionCounter) HandleRPC(context.Context, stats.RPCStats)                       {}
func (connectionCounter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return ctx
}

func (c connectionCounter) HandleConn(_ context.Context, s stats.ConnStats) {
	switch s.(type) {
	case *stats.ConnBegin:
		c.m.opened.Add(1)
	case *stats.ConnEnd:
		c.m.closed.Add(1)
	}
}

package e2e

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// said is a message with a text in it.
type said = grpc_health_v1.HealthCheckRequest

// echoes answers each message with it in capitals, and ends with a status and
// trailers.
func echoes(_ any, stream grpc.ServerStream) error {
	defer stream.SetTrailer(metadata.Pairs("sum", "x", "bin-bin", "\x00\x01"))
	if err := stream.SendHeader(metadata.Pairs("begun", "yes")); err != nil {
		return err
	}
	for {
		message := new(said)
		switch err := stream.RecvMsg(message); {
		case errors.Is(err, io.EOF):
			return status.Error(codes.FailedPrecondition, "ü: all was said")
		case err != nil:
			return err
		}
		if err := stream.SendMsg(&said{Service: strings.ToUpper(message.Service)}); err != nil {
			return err
		}
	}
}

// TestGRPC has the programs that gRPC's own library makes talk through an agent,
// and through two.
func TestGRPC(t *testing.T) {
	l := listen(t)
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "e2e.Echo", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Talk", Handler: echoes, ServerStreams: true, ClientStreams: true}},
	}, new(struct{}))
	well := health.NewServer()
	grpc_health_v1.RegisterHealthServer(server, well)
	go server.Serve(l)
	defer server.Stop()
	fronts, _ := pair(t, "h2c://"+l.Addr().String())
	for where, addr := range fronts {
		t.Run(where, func(t *testing.T) {
			conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			testUnary(t, conn)
			testWatch(t, conn, well)
			testTalk(t, conn)
		})
	}
}

func testUnary(t *testing.T, conn *grpc.ClientConn) {
	client := grpc_health_v1.NewHealthClient(conn)
	for range 20 {
		if res, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil || res.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("%v, %v", res, err)
		}
	}
	if _, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: "nobody"}); status.Code(err) != codes.NotFound {
		t.Errorf("a status without a message: %v", err)
	}
}

// testWatch: a server's stream is read as it comes, and its client ends it.
func testWatch(t *testing.T, conn *grpc.ClientConn, well *health.Server) {
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	watch, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING, grpc_health_v1.HealthCheckResponse_SERVING,
	} {
		well.SetServingStatus("", want)
		if res, err := watch.Recv(); err != nil || res.Status != want {
			t.Fatalf("%v, %v", res, err)
		}
	}
	cancel()
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Errorf("after its end: %v", err)
	}
}

// testTalk: messages go both ways in turns, and the status comes with trailers.
func testTalk(t *testing.T, conn *grpc.ClientConn) {
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/e2e.Echo/Talk")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		text := strings.Repeat(fmt.Sprint("message ", i, " "), 1+i*20)
		if err := stream.SendMsg(&said{Service: text}); err != nil {
			t.Fatal(err)
		}
		answer := new(said)
		if err := stream.RecvMsg(answer); err != nil || answer.Service != strings.ToUpper(text) {
			t.Fatalf("message %d: %.40q, %v", i, answer.Service, err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	err = stream.RecvMsg(new(said))
	if s, _ := status.FromError(err); s.Code() != codes.FailedPrecondition || s.Message() != "ü: all was said" {
		t.Errorf("it ended with %v", err)
	}
	head, _ := stream.Header()
	if trailer := stream.Trailer(); fmt.Sprint(head["begun"], trailer["sum"], trailer["bin-bin"]) != "[yes] [x] [\x00\x01]" {
		t.Errorf("head %v, trailers %v", head, trailer)
	}
}

// TestHTTP2OnSockets: a web server of HTTP/2 on a real socket gets large bodies,
// says something before it has read them, and is told when a client goes.
func TestHTTP2OnSockets(t *testing.T) {
	l := listen(t)
	gone := make(chan struct{}, 2)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/wait":
			<-r.Context().Done()
			gone <- struct{}{}
		case "/no":
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		default:
			sum := sha256.New()
			n, err := io.Copy(sum, r.Body)
			_, _ = fmt.Fprintf(w, "%s %d %v %x", r.Proto, n, err, sum.Sum(nil)[:4])
			_, _ = io.Copy(w, io.LimitReader(zeros{}, 4<<20))
		}
	})}
	go server.Serve(l)
	defer server.Close()
	fronts, _ := pair(t, "h2c://"+l.Addr().String())
	for where, addr := range fronts {
		for version, client := range map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}, "HTTP/2": h2cClient(t)} {
			t.Run(where+", "+version, func(t *testing.T) { testHTTP2(t, client, "http://"+addr, gone) })
			client.CloseIdleConnections()
		}
	}
}

func testHTTP2(t *testing.T, client *http.Client, url string, gone <-chan struct{}) {
	const size = 4 << 20
	res, err := client.Post(url+"/up", "", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(res.Body)
	sum := sha256.Sum256(make([]byte, size))
	if want := fmt.Sprintf("HTTP/2.0 %d <nil> %x", size, sum[:4]); err != nil || len(got) != len(want)+size || string(got[:len(want)]) != want {
		t.Errorf("%d bytes, %.60q, %v", len(got), got, err)
	}
	res.Body.Close()
	if res, err = client.Post(url+"/no", "", io.LimitReader(zeros{}, 64<<20)); err != nil {
		t.Errorf("refused before it is read: %v", err)
	} else if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", res.StatusCode)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := client.Do(r); err == nil {
		res.Body.Close()
		t.Errorf("status %d", res.StatusCode)
	}
	select {
	case <-gone:
	case <-time.After(startPatience):
		t.Error("the web server was not told that its client went")
	}
}

// zeros is without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

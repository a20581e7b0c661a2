package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"kecho/agent"
)

// A Go web server with an agent in it: its handler is wrapped, and peers are met
// by Join.
func ExampleAgent_Middleware() {
	node, err := agent.New(agent.Config{
		Name: "web1", Embedded: true, SoftLimit: 64,
		Admin: "127.0.0.1:0", Bind: "127.0.0.1:0",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	site := node.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	}))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- node.Run(ctx) }()

	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Print(w.Body)

	stop()
	fmt.Println(<-ended)
	// Output:
	// hello
	// <nil>
}

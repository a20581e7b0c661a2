// Command middleware is a web server with a kecho agent in it: what it has places
// for it serves itself, in the same process and with nothing between, and what is
// too much for it is served by its peers.
//
//	go run ./examples/middleware --name web1 &
//	go run ./examples/middleware --name web2 --listen 127.0.0.1:8081 --admin 127.0.0.1:7941 --bind 127.0.0.1:7956 --join 127.0.0.1:7946
package main

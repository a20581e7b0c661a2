package h1

import "net"

// NetConn is the connection of an answer 101, for who ends one direction of it.
// Reads belong to Read: something may have been read already.
func (b *body) NetConn() net.Conn { return b.conn.nc }

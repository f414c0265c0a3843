//go:build !js

//lint:file-ignore SA1019 nhooyr.io/websocket is the name in the house plan; the same code goes on as github.com/coder/websocket

package link

import (
	"context"

	"nhooyr.io/websocket"
)

func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, c.address, &websocket.DialOptions{HTTPClient: c.o.HTTP})
	return conn, err
}

// ping finds out whether the other side is there.
func ping(ctx context.Context, conn *websocket.Conn) error { return conn.Ping(ctx) }

// hangUp ends a connection.
func hangUp(conn *websocket.Conn) { conn.CloseNow() }

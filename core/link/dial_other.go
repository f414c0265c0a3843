//go:build !js

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

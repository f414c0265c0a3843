//lint:file-ignore SA1019 nhooyr.io/websocket is the name in the house plan; the same code goes on as github.com/coder/websocket

package link

import (
	"context"

	"nhooyr.io/websocket"
)

func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, c.address, nil)
	return conn, err
}

// ping does nothing: a page cannot, and the server does it.
func ping(context.Context, *websocket.Conn) error { return nil }

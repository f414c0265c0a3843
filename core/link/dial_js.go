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

// hangUp ends a connection. A page may give few reasons for that, and those of CloseNow and of an ended context are none of them: the
// browser would keep the connection, with all that still comes. It waits for the other side then, which nobody here does.
func hangUp(conn *websocket.Conn) { go conn.Close(websocket.StatusNormalClosure, "") }

//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"

	"github.com/d--j/go-milter"
)

// serveIdle is a milter that is told everything and lets it in. It shows what the load generator, loopback and the kernel can do.
func serveIdle() error {
	network := "tcp"
	if strings.HasPrefix(os.Args[1], "/") {
		network = "unix"
	}
	listener, err := net.Listen(network, os.Args[1])
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			beIdle(conn)
		}()
	}
}

func beIdle(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 16<<10)
	var head [5]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		if _, err := in.Discard(int(binary.BigEndian.Uint32(head[:])) - 1); err != nil {
			return
		}
		var err error
		switch head[4] {
		case 'O':
			answer := []byte{0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 0, 0}
			_, err = conn.Write(binary.BigEndian.AppendUint32(answer, uint32(milter.OptNoReplies)))
		case 'E':
			_, err = conn.Write([]byte{0, 0, 0, 1, 'a'})
		case 'Q':
			return
		}
		if err != nil {
			return
		}
	}
}

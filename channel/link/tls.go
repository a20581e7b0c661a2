package link

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// LoadTLS reads what Config.TLS needs from PEM files: the certificates of the
// authority that signs every node's, this node's own, and its key. After its
// own the certificate's file may hold those between it and the authority, in
// that order: peers are shown all of them. The errors name the file and what
// to do about it.
func LoadTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	authority, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", caFile)
	}
	for _, file := range []string{certFile, keyFile} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("read this node's certificate and key: %w", err)
		}
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	chain, err := parseChain(cert)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", certFile, err)
	}
	if err := verifyChain(roots, chain); err != nil {
		return nil, fmt.Errorf("certificate %s is no good under the authority %s: %w", certFile, caFile, err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{cert},
		RootCAs:      roots,
	}, nil
}

// CheckTLS says what makes c useless for the links of the node called name, or
// nil. New checks it too; this is for who wants to know earlier.
func CheckTLS(c *tls.Config, name string) error {
	if c.RootCAs == nil {
		return errors.New("TLS has no RootCAs: without the cluster's own authority anybody's certificate would do")
	}
	if len(c.Certificates) == 0 || len(c.Certificates[0].Certificate) == 0 {
		return errors.New("TLS has no certificate for this node")
	}
	leaf, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
	if err != nil {
		return fmt.Errorf("this node's certificate: %w", err)
	}
	if !certifies(leaf, name) {
		return fmt.Errorf("this node is called %.64q, but its certificate is for %s: peers would refuse it; give it one of its own, or the other name", name, certified(leaf))
	}
	return nil
}

// ServerTLS is a copy of what LoadTLS gave, made strict for who is dialed: TLS
// 1.3, both sides show a certificate of the cluster's authority, no resumption.
func ServerTLS(c *tls.Config) *tls.Config {
	s := c.Clone()
	s.MinVersion = tls.VersionTLS13
	s.ClientAuth = tls.RequireAndVerifyClientCert
	s.ClientCAs = c.RootCAs
	s.SessionTicketsDisabled = true
	return s
}

// ClientTLS is the same for who dials. It leaves the name in the certificate to
// the pool, which knows whom it meant.
func ClientTLS(c *tls.Config) *tls.Config {
	s := c.Clone()
	s.MinVersion = tls.VersionTLS13
	s.ClientSessionCache = nil
	// The standard check wants the name of a host; ours is a node's, and
	// greet compares it. The chain is verified all the same, right here.
	s.InsecureSkipVerify = true
	s.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyChain(c.RootCAs, state.PeerCertificates)
	}
	return s
}

// parseChain is what a peer will be shown: the node's own certificate first,
// and those between it and the authority.
func parseChain(cert tls.Certificate) (chain []*x509.Certificate, err error) {
	for _, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, c)
	}
	return chain, nil
}

// verifyChain checks that chain[0] is signed by roots, by way of the others,
// and valid now.
func verifyChain(roots *x509.CertPool, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("no certificate was shown")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: time.Now(),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err
}

// secure does the TLS handshake on a new connection. Without TLS it gives conn
// back and no certificate.
func (p *Pool) secure(ctx context.Context, conn net.Conn, dialed bool) (net.Conn, *x509.Certificate, error) {
	if p.cfg.TLS == nil {
		return conn, nil, nil
	}
	if laned, ok := conn.(Laned); ok {
		certs := laned.ConnectionState().PeerCertificates
		if len(certs) == 0 {
			return nil, nil, errors.New("the connection shows no certificate, and this node has one")
		}
		return conn, certs[0], nil
	}
	secured, plain := tls.Server(quietly(conn), p.tlsServer), byte(kindHello)
	if dialed {
		secured, plain = tls.Client(quietly(conn), p.tlsClient), kindRefuse
	}
	if err := secured.HandshakeContext(ctx); spokePlain(err, plain) {
		return nil, nil, errOnlyHere
	} else if err != nil {
		return nil, nil, fmt.Errorf("TLS with %s: %w", conn.RemoteAddr(), err)
	}
	return secured, secured.ConnectionState().PeerCertificates[0], nil
}

// certifies reports whether cert may be used by the node called name: it is
// one of the DNS names, or the common name. No wildcards: a node is one node.
func certifies(cert *x509.Certificate, name string) bool {
	return slices.Contains(cert.DNSNames, name) || cert.Subject.CommonName == name
}

// certified is whom cert is for, in words.
func certified(cert *x509.Certificate) string {
	names := slices.Clone(cert.DNSNames)
	if cn := cert.Subject.CommonName; cn != "" && !slices.Contains(names, cn) {
		names = append(names, cn)
	}
	if len(names) == 0 {
		return "nobody"
	}
	return clip(strings.Join(names, ", "))
}

// clip makes remote text fit for a log.
func clip(s string) string { return fmt.Sprintf("%.128s", s) }

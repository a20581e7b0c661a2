package channeltest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Authority signs the certificates of a test's nodes. It is good for an hour.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority is one that signs itself.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{key: newKey(t)}
	a.cert = authorityOf(t, a, a)
	return a
}

// Below is an authority whose own certificate a has signed.
func (a *Authority) Below(t testing.TB) *Authority {
	t.Helper()
	b := &Authority{key: newKey(t)}
	b.cert = authorityOf(t, b, a)
	return b
}

// authorityOf is a's certificate, signed by the other one. If that has none
// yet it is a itself.
func authorityOf(t testing.TB, a, by *Authority) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kecho test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	parent := by.cert
	if parent == nil {
		parent = template
	} else {
		template.Subject.CommonName += ", intermediate"
	}
	cert, err := x509.ParseCertificate(sign(t, template, parent, a.key, by.key))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// Raw is a's own certificate, in DER.
func (a *Authority) Raw() []byte { return a.cert.Raw }

// Keys is what the node called names is given: a certificate for these as DNS
// names, or for the common name when there is one that begins with "cn:", and
// the authority to trust.
func (a *Authority) Keys(t testing.TB, names ...string) *tls.Config {
	t.Helper()
	der, key := a.certify(t, time.Now().Add(time.Hour), names)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}
}

// Files is the same as files in PEM, as link.LoadTLS reads them, with a
// certificate that ends at until.
func (a *Authority) Files(t testing.TB, until time.Time, names ...string) (ca, cert, key string) {
	t.Helper()
	der, k := a.certify(t, until, names)
	keyDER, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("ca.pem", "CERTIFICATE", a.cert.Raw), write("node.pem", "CERTIFICATE", der), write("node.key", "EC PRIVATE KEY", keyDER)
}

func (a *Authority) certify(t testing.TB, until time.Time, names []string) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
	}
	if cn, ok := strings.CutPrefix(names[0], "cn:"); ok {
		template.DNSNames, template.Subject.CommonName = nil, cn
	}
	return sign(t, template, a.cert, key, a.key), key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

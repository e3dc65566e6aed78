package postgres

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const (
	keySize = 32 // AES-256
	// keyIDSize is how many bytes of a key's SHA-256 name it in what it sealed.
	keyIDSize = 8
	// sealVersion is the first byte of a sealed password: the format's version.
	sealVersion = 1
)

var errUnknownKey = errors.New("sealed with a key that is not in the key file; add that key as a further line of the file")

// Keyring seals passwords with AES-256-GCM. The first key seals, every key
// opens, so a key is changed by putting a new line before the old one.
type Keyring struct {
	keys []sealingKey
}

type sealingKey struct {
	id   []byte
	aead cipher.AEAD
}

// ParseKeyring reads keys, one a line, each 32 bytes in standard Base64. Empty
// lines do not count. An error says which line is wrong, never what it holds.
func ParseKeyring(text string) (*Keyring, error) {
	k := &Keyring{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			return nil, fmt.Errorf("line %d of the encryption key is not 32 bytes in Base64; make one with `openssl rand -base64 32`", i+1)
		}
		key, err := newSealingKey(raw)
		if err != nil {
			return nil, err
		}
		k.keys = append(k.keys, key)
	}
	if len(k.keys) == 0 {
		return nil, errors.New("the encryption key is empty; make one with `openssl rand -base64 32`")
	}
	return k, nil
}

// newSealingKey names the key by its hash: the name is stored beside what it
// sealed and must tell nothing of the key.
func newSealingKey(raw []byte) (sealingKey, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return sealingKey{}, fmt.Errorf("use the encryption key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealingKey{}, fmt.Errorf("use the encryption key: %w", err)
	}
	sum := sha256.Sum256(raw)
	return sealingKey{id: sum[:keyIDSize], aead: aead}, nil
}

// seal encrypts a password for one owner; open needs the same owner, so a sealed
// password copied into another row does not open there.
func (k *Keyring) seal(password, owner string) ([]byte, error) {
	key := k.keys[0]
	nonce := make([]byte, key.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, fmt.Errorf("make a nonce: %w", err)
	}
	out := append([]byte{sealVersion}, key.id...)
	out = append(out, nonce...)
	return key.aead.Seal(out, nonce, []byte(password), []byte(owner)), nil
}

// open finds the key by its id, so that a key that is missing, which an operator
// can mend, is told apart from a sealed password that was changed.
func (k *Keyring) open(sealed []byte, owner string) (string, error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != sealVersion {
		return "", errors.New("not a sealed password of this version")
	}
	id, rest := sealed[1:1+keyIDSize], sealed[1+keyIDSize:]
	for _, key := range k.keys {
		if !bytes.Equal(key.id, id) {
			continue
		}
		n := key.aead.NonceSize()
		if len(rest) < n {
			return "", errors.New("sealed password is cut short")
		}
		plain, err := key.aead.Open(nil, rest[:n], rest[n:], []byte(owner))
		if err != nil {
			return "", fmt.Errorf("open the sealed password: %w", err)
		}
		return string(plain), nil
	}
	return "", errUnknownKey
}

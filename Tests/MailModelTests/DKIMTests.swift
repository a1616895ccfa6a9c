import MailModel
import Testing

@Suite struct DKIMTests {
    /// Made by openssl(1): lengths in bits, and the same 2048 bits without X.509's wrapping.
    enum Keys {
        static let rsa512 =
            "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALHIXFVxl1h4TkzYfJREFz2l4ZcyqUWXYah3U7uhAky7YxtdnhM2bqlJKWypLFl1FmLaaOummuLp90xZn6fjswkCAwEAAQ=="
        static let rsa1024 =
            "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDoSUe813VVB39UtVW/WMjpr+MnfZwVW7wbKF+ST7r2hueQG+GQK/XleHDY0NAXBEWlDWrrWp8UIavcrATJKqipcvbQFpRTNqVyVTkJAc15W7VtPuWBkFbBN5uzFUUnePRCbAeOkd9CUe4NUT6uJ6yLTWDHrUSBoTzqOX1FyEvEyQIDAQAB"
        static let rsa2048 =
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3xfjRAwUTLJqhi53O5p3Z/GugTMuL0xkcw/v9BjG117qKsmTMsoKLcJ75yUoa9xWfFbfYndbC113dTQKIIK8u539HXG/PTHX6JujmcforjCKIhXlIUX6cKhZsgjNViM8tRQmFOLJbuB1QF666DuF+pVKGU5vt+19dxEQTbhSc2Bd6Z5vaLSUC9dki43gUGnTIqpXvB4acWA+E/fZJyM9IRbzcdY39jrb3M1Tg6LFmv2ob7h+zLIY7vyD0p/NLob9fqC3uyUPiDuoyfs//satKMMPMM5W2rUhnQohClWX6DcLsWBhAysWs+S5Zgq9S6S7thhmN6QEixUUvofmQ/Lm8wIDAQAB"
        static let bare2048 =
            "MIIBCgKCAQEA3xfjRAwUTLJqhi53O5p3Z/GugTMuL0xkcw/v9BjG117qKsmTMsoKLcJ75yUoa9xWfFbfYndbC113dTQKIIK8u539HXG/PTHX6JujmcforjCKIhXlIUX6cKhZsgjNViM8tRQmFOLJbuB1QF666DuF+pVKGU5vt+19dxEQTbhSc2Bd6Z5vaLSUC9dki43gUGnTIqpXvB4acWA+E/fZJyM9IRbzcdY39jrb3M1Tg6LFmv2ob7h+zLIY7vyD0p/NLob9fqC3uyUPiDuoyfs//satKMMPMM5W2rUhnQohClWX6DcLsWBhAysWs+S5Zgq9S6S7thhmN6QEixUUvofmQ/Lm8wIDAQAB"
        static let ed25519 = "zPE9JrGJbfTdzfA1PtOZFbLhElTD1Uu/cCfNBamfU/M="
        static let curve =
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4wpivlaEFWa6CwANr/5rnC3OmuCp9TwFtLmif4bfN2osbbP6NMZrjS+aS3ikWZOz4jLKgZJffQIs4PPVJ6hyrg=="
    }

    @Test func keysTellTheirKindAndLength() throws {
        #expect(try DKIMKey("v=DKIM1; k=rsa; p=\(Keys.rsa512)").kind == .rsa(bits: 512))
        #expect(try DKIMKey("v=DKIM1; p=\(Keys.rsa1024)").kind == .rsa(bits: 1024))
        #expect(try DKIMKey("p=\(Keys.rsa2048);").kind == .rsa(bits: 2048))
        #expect(try DKIMKey("p=\(Keys.bare2048)").kind == .rsa(bits: 2048))
        #expect(try DKIMKey("v=DKIM1; k=ed25519; p=\(Keys.ed25519)").kind == .ed25519)
        #expect(try DKIMKey("v=DKIM1; p=").kind == .revoked)
        let key = try DKIMKey("v=DKIM1; h=sha1 : SHA256; s=email; t=y:s; n=a note; p=\(Keys.rsa1024)")
        #expect(key.isTesting && key.isStrict)
        #expect(key.hashes == ["sha1", "sha256"] && key.services == ["email"])
    }

    @Test(arguments: [
        ("v=DKIM2; p=\(Keys.rsa1024)", "not `DKIM1`"), ("k=rsa; v=DKIM1; p=\(Keys.rsa1024)", "must stand first"),
        ("v=DKIM1; k=rsa", "is missing"), ("v=DKIM1; k=dsa; p=AAAA", "there are `rsa`"),
        ("v=DKIM1; p=!!!!", "not Base64"), ("v=DKIM1; p=AAA", "not Base64"), ("v=DKIM1; p=AAAA", "no RSA key"),
        ("v=DKIM1; p=\(Keys.curve)", "no RSA key"), ("v=DKIM1; k=ed25519; p=\(Keys.rsa1024)", "no ed25519 key"),
        ("v=DKIM1; p=\(Keys.ed25519)", "no RSA key"), ("v=DKIM1; p=a; p=b", "twice"), ("hello", "no `=`"),
        ("v=DKIM1; =x; p=AAAA", "no name"), ("v=DKIM1; p=\(Keys.rsa1024.dropLast(40))", ""),
    ])
    func whatReceiversCannotUseIsRefused(_ text: String, _ words: String) {
        do {
            let key = try DKIMKey(text)
            Issue.record("\(text) is taken for \(key)")
        } catch { #expect(words.isEmpty || error.description.contains(words), "\(text): \(error)") }
    }

    private static let signature =
        "v=1; a=rsa-sha256; c=relaxed/simple; d=Example.com; s=post;\r\n\tt=1700000000; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NM"
        + "pJWZG3hSuFU=;\r\n\th=From:To: Subject :List-Unsubscribe:From;\r\n\tb=AAAA\r\n\t BBBB"

    @Test func aSignatureTellsWhatItCovers() throws {
        let signature = try DKIMSignature(Self.signature)
        #expect(signature.domain == "example.com" && signature.selector == "post")
        #expect(signature.keyName == "post._domainkey.example.com")
        #expect(signature.fields == ["from", "to", "subject", "list-unsubscribe", "from"])
        #expect(signature.covers("List-Unsubscribe") && !signature.covers("List-Unsubscribe-Post"))
        #expect(!signature.isPartial && signature.expiry == nil)
        let other = try DKIMSignature(Self.signature + "; l=10; x=1700000001")
        #expect(other.isPartial && other.expiry == 1_700_000_001)
    }

    @Test(arguments: [
        ("v=1; ", "v=2; "), ("a=rsa-sha256; ", ""), ("d=Example.com", "d=exa mple.com"), ("s=post", "s="),
        ("h=From:To: Subject :List-Unsubscribe:From", "h=To"), ("b=AAAA", "b=*"), ("d=Example.com", "d=a..b"),
    ])
    func brokenSignaturesAreRefused(_ part: String, _ other: String) {
        #expect(throws: MalformedRecord.self) { try DKIMSignature(Self.signature.replacing(part, with: other)) }
    }

    /// Every beginning of a key and of a signature, and every byte of the key changed.
    @Test func noPieceOfAKeyOrSignatureIsTooMuch() {
        let text = "v=DKIM1; k=rsa; p=\(Keys.rsa1024)"
        for end in text.indices { _ = try? DKIMKey(String(text[..<end])) }
        for end in Self.signature.indices { _ = try? DKIMSignature(String(Self.signature[..<end])) }
        var generator = Generator(seed: 3)
        for _ in 0..<20_000 {
            var bytes = Array(text.utf8)
            for _ in 0..<3 {
                bytes[Int.random(in: 18..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            if case .rsa(let bits)? = try? DKIMKey(String(decoding: bytes, as: UTF8.self)).kind {
                #expect(bits > 0 && bits <= 8 * text.utf8.count)
            }
        }
    }
}

@Suite struct DMARCTests {
    @Test func aRecordIsRead() throws {
        let record = try DMARCRecord(
            "v=DMARC1; p=Quarantine; sp=reject; adkim=s; aspf=r; pct=20; "
                + "rua=mailto:a@example.com!10m, mailto:b@reports.example.net,https://x; fo=1")
        #expect(record.policy == .quarantine && record.subdomainPolicy == .reject && record.percentage == 20)
        #expect(record.isStrictDKIM && !record.isStrictSPF)
        #expect(record.reportAddresses == ["mailto:a@example.com", "mailto:b@reports.example.net"])
        #expect(record.reportDomains == ["example.com", "reports.example.net"])
    }

    @Test func receiversPassOverWhatTheyDoNotKnow() throws {
        let record = try DMARCRecord("v=DMARC1; p=none; sp=some; pct=200; adkim=x; rua=postmaster; unknown=1")
        #expect(record.ignored == ["sp", "rua", "pct", "adkim", "unknown"])
        #expect(record.subdomainPolicy == nil && record.percentage == 100)
        #expect(try DMARCRecord("v=DMARC1; rua=mailto:a@b.example").policy == .none)
    }

    @Test(arguments: [
        "", "v=DMARC1", "v=DMARC1; p=", "v=DMARC1; p=all", "p=none; v=DMARC1", "v=DMARC2; p=none", "v=DMARC1; p",
        "v=DMARC1; p=none; p=reject",
    ])
    func whatReceiversPassOverIsRefused(_ text: String) {
        #expect(throws: MalformedRecord.self) { try DMARCRecord(text) }
    }

    @Test func aRecordIsKnownByItsBeginning() {
        #expect(DMARCRecord.isRecord("v=DMARC1;p=none") && DMARCRecord.isRecord("v = DMARC1 ; broken"))
        #expect(!DMARCRecord.isRecord("v=spf1") && !DMARCRecord.isRecord(""))
    }

    @Test(arguments: [
        ("example.com", "example.com"), ("a.b.example.com", "example.com"), ("news.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"), ("com", "com"), ("Mail.Example.COM", "example.com"), ("x.go.com", "go.com"),
    ])
    func theOrganizationalDomainIsTheRegisteredPart(_ domain: String, _ expected: String) {
        #expect(OrganizationalDomain.of(domain) == expected)
    }

    @Test func alignmentIsRelaxedOrStrict() {
        #expect(OrganizationalDomain.isAligned("mail.example.com", "example.com", isStrict: false))
        #expect(!OrganizationalDomain.isAligned("mail.example.com", "example.com", isStrict: true))
        #expect(OrganizationalDomain.isAligned("Example.com", "example.COM", isStrict: true))
        #expect(!OrganizationalDomain.isAligned("example.net", "example.com", isStrict: false))
    }
}

import FuzzKit
import MailModel

/// The texts by which a domain vouches for its mail: SPF (RFC 7208), DKIM keys and signatures (RFC 6376), DMARC (RFC 7489).
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzRecords(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let text = input.text()
    do throws(MalformedRecord) {
        let record = try SPFRecord(text)
        expect(SPFRecord.isRecord(text), "what is read is a record")
        let address = IPAddress(bytes: [192, 0, 2, 1]) ?? IPAddress(bytes: [UInt8](repeating: 0, count: 16))
        for directive in record.directives {
            expect(text.contains(directive.text), "a term stands in its record")
            guard case .exists(let name) = directive.mechanism, let address else { continue }
            let mail = SPFName.Mail(
                localPart: "a-b.c", senderDomain: "example.com", domain: "example.com", address: address, greeting: "x")
            expect(name.filled(for: mail).utf8.count <= 253, "a name fits into the DNS")
        }
    } catch { expect(!hasControl(error.description), "a sentence is printable") }
    do throws(MalformedRecord) {
        let key = try DKIMKey(text)
        if case .rsa(let bits) = key.kind {
            expect(bits > 0 && bits <= count * 8, "a key is no longer than its record")
        }
    } catch { expect(!hasControl(error.description), "a sentence is printable") }
    do throws(MalformedRecord) {
        let signature = try DKIMSignature(text)
        expect(signature.covers("From"), "a signature covers From")
        expect(!hasControl(signature.keyName), "the key's name is one")
    } catch { expect(!hasControl(error.description), "a sentence is printable") }
    do throws(MalformedRecord) {
        let record = try DMARCRecord(text)
        expect((0...100).contains(record.percentage), "a part is one")
        expect(DMARCRecord.isRecord(text), "what is read is a record")
    } catch { expect(!hasControl(error.description), "a sentence is printable") }
    if let address = IPAddress(text) {
        expect(IPAddress(address.description) == address, "an address is written and read again")
    }
    return 0
}

import FuzzKit
import MailModel

/// Authentication-Results (RFC 8601): several fields of a message, one a line, some in the name of our own checker.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzResults(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    var fields: [HeaderField] = []
    while !input.rest.isEmpty, fields.count < 50 {
        fields.append(HeaderField("Authentication-Results", input.text(to: 0x0A)))
    }
    var isOurs = false
    for field in fields {
        guard let results = AuthenticationResults(field.text) else { continue }
        expect(!results.authservID.isEmpty, "a field names its service")
        expect(results.authservID == results.authservID.lowercased(), "a service's name is in lower case")
        isOurs = isOurs || results.authservID == "mx.example.org"
        for check in results.checks {
            expect(!check.method.isEmpty, "a check has a method")
            expect(!check.method.contains("/"), "a method is without its version")
            expect(check.method == check.method.lowercased(), "a method is in lower case")
            expect(check.properties.allSatisfy { $0.name == $0.name.lowercased() }, "names are in lower case")
        }
    }
    let message = ReceivedMessage(
        clientAddress: "203.0.113.9", reversePath: "ann@example.com",
        headers: [HeaderField("From", "ann@example.com")] + fields)
    let verdicts = RspamdHeaders(trustedServices: ["mx.example.org"]).verdicts(of: message)
    if !isOurs {
        expect(
            verdicts.spf == .disabled && verdicts.dkim == .disabled && verdicts.dmarc == .disabled,
            "only our own checker is believed")
    }
    return 0
}

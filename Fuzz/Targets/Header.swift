import FuzzKit
import MailModel

/// One header field's value, for every reader of one: addresses, ids, verdicts.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzHeader(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let text = input.text()
    if let address = MailAddress.parse(received: text) { judge(address) }
    HeaderAddresses.parse(text).forEach(judge)
    for id in MessageIdentifiers.parse(text) {
        expect(!id.isEmpty && id.utf8.count <= 996, "an id has the size of one")
        expect(!id.utf8.contains { $0 <= 0x20 || $0 == 0x3C || $0 == 0x3E }, "an id is one word")
    }
    _ = AuthenticationResults(text)
    _ = SpamdResult(text)
    _ = ClientNetwork(address: text)
    _ = PixelClient.network(of: text)
    _ = PixelClient.machineReason(userAgent: text)
    _ = MachineAddress.matches(localPart: text)
    judge(verdictsOf: text)
    return 0
}

private func judge(_ address: MailAddress) {
    let text = address.description
    expect(!hasControl(text), "an address is one line")
    expect(MailAddress.parse(received: text) == address, "an address is one when it is read again")
    if let form = address.smtpForm {
        expect(MailAddress.isSafeForSMTP(form), "an address for SMTP is safe there: \(form)")
        expect(!form.utf8.contains { $0 == 0x3C || $0 == 0x3E || $0 < 0x20 }, "nothing ends the path")
    }
    if let domain = address.asciiDomain {
        expect(domain.utf8.allSatisfy { $0 < 0x80 }, "an ASCII domain is ASCII")
        expect(MailDomain.ascii(domain) == domain, "an ASCII domain stays as it is: \(domain)")
    }
}

private func judge(verdictsOf text: String) {
    let source = RspamdHeaders(trustedServices: ["mx.example.org"], virusSymbols: ["CLAM_VIRUS"])
    var message = ReceivedMessage(clientAddress: "203.0.113.9", reversePath: "ann@example.com")
    for name in ["Authentication-Results", "X-Spamd-Result", "X-Rspamd-Action", "From", "To", "Auto-Submitted"] {
        message.headers = [HeaderField(name, text)]
        let verdicts = source.verdicts(of: message)
        expect(name == "X-Rspamd-Action" || verdicts.spam != .pass, "only an action passes")
        let circumstances = AutomaticReplyRule.Circumstances(recipient: "in@example.org", verdicts: verdicts)
        _ = AutomaticReplyRule.refusal(for: message, in: circumstances)
    }
}

import Engine
import FuzzKit
import WorkflowModel

@testable import WebhookAdapter

/// The address of a webhook as a template renders it, and the header lines and the body of what a receiver answers.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzWebhook(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    takeApart(input.text(to: 0x0A))
    var head = ResponseHead()
    while !input.rest.isEmpty, head.take(input.bytes(to: 0x0A) + [0x0A]) {}
    let size = head.fields.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    // What is no UTF-8 is replaced by three bytes.
    expect(size <= 3 * WebhookResponse.headerLimit + 2 * count, "the fields are bounded")
    for (name, value) in head.fields {
        expect(name == name.lowercased(), "names are in lower case")
        expect(!(name + value).utf8.contains { $0 < 0x20 || $0 == 0x7F }, "a field is one line")
    }
    return 0
}

private func takeApart(_ text: String) {
    guard let url = try? WebhookURL(text) else { return }
    expect(!url.host.isEmpty && (1...65_535).contains(url.port) && url.target.hasPrefix("/"), "all parts are there")
    let whole = url.description
    expect(whole.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "nothing that ends a request line")
    expect((try? WebhookURL(whole)) == url, "what is put together reads the same")
    let listed = WebhookDestinations(allowedHosts: [url.authority])
    expect(listed.isListed(url) && listed.objection(to: url) == nil, "its own name lists it")
}

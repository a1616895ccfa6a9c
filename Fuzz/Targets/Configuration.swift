import FuzzKit

@testable import Settings

/// The configuration file: an error names what is wrong, everything else is a configuration.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let text = input.text(to: 0)
    let variable = input.text()
    // A password file would be opened, wherever it lies.
    if text.contains("password_file") { return 0 }
    let environment = variable.isEmpty ? [:] : ["POSTRIDER_HTTP_PORT": variable]
    do {
        let configuration = try Settings.Configuration.parse(text, environment: environment)
        expect(configuration.warnings.allSatisfy { $0.severity == .warning }, "only warnings beside a configuration")
        expect(configuration.milter.socket.utf8.count <= 107, "the socket's path fits")
        expect((0...65_535).contains(configuration.smtp.port), "a port is one")
        _ = configuration.http.baseURL(port: 80)
    } catch {
        expect(error.findings.contains { $0.severity == .error }, "a refusal has an error")
        expect(error.findings.allSatisfy { !$0.message.isEmpty && !$0.mend.isEmpty }, "each with its mend")
        expect(!error.description.isEmpty, "a refusal has words")
    }
    return 0
}

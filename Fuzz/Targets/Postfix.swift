import FuzzKit

@testable import Settings

/// main.cf up to the first NUL, master.cf behind it: whatever is written there, the check comes to an end.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzPostfix(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let main = input.text(to: 0)
    var master = input.text()
    if master.isEmpty { master = "smtp inet n - y - - smtpd\n \(main)\ncleanup unix n - y - 0 cleanup\n" }
    guard let configuration = try? Settings.Configuration.parse("") else { return 0 }
    let files = WrittenFiles(texts: ["/p/main.cf": main, "/p/master.cf": master])
    let findings = PostfixCheck(directory: "/p", configuration: configuration, files: files).findings()
    expect(findings.allSatisfy { !$0.message.isEmpty }, "a finding has words")
    let parameters = PostfixParameters(main)
    let value = parameters.value("smtpd_milters")
    expect(value == PostfixText.trim(value), "a value has no blanks around it")
    for item in MilterReference.all(in: main) { _ = PostfixText.withoutBlanks(item.text) }
    _ = PostfixText.seconds(main)
    return 0
}

private struct WrittenFiles: FileProbe {
    let texts: [String: String]

    func text(of path: String) -> String? { texts[path] }
    func status(of path: String) -> FileStatus {
        path.hasSuffix("k") ? .found(kind: .socket, mode: 0o660, owner: 1, group: 2) : .missing
    }
    func identity(of user: String) -> UserIdentity? {
        user == "postfix" ? UserIdentity(user: 102, groups: [105]) : nil
    }
}

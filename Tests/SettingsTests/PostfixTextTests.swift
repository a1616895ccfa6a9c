import Foundation
import Testing

@testable import Settings

@Suite struct PostfixTextTests {
    @Test func continuationsRunThroughCommentsAndEmptyLines() {
        let lines = PostfixText.logicalLines("a = 1,\n# no\n\n\t2\n   # no\n  3\nb=4\r\n")
        #expect(lines == [.init(text: "a = 1, 2 3", line: 1), .init(text: "b=4", line: 7)])
    }

    private static let expansions: [(String, String)] = [
        ("$a", "one"), ("${a}", "one"), ("$(a)", "one"), ("x$a-y", "xone-y"), ("$$a", "$a"), ("$none", ""),
        ("${none:{$a}}", "one"),
        ("${a?yes}", "yes"), ("${a:no}", ""), ("${empty?yes}", ""), ("${empty:no}", "no"), ("${a?{$a}:{no}}", "one"),
        ("${empty?{yes}:{$a}}", "one"),
        ("${{$a} == {one} ? {same} : {other}}", "same"), ("${{$a} != {one} ? {same} : {other}}", "other"),
        ("${{9} < {10} ? {less} : {more}}", "less"),
        ("{ unix:x, { b = $a } }", "{ unix:x, { b = one } }"), ("$queue_directory", "/var/spool/postfix"), ("a$", "a$"),
    ]

    @Test(arguments: expansions)
    func parametersExpand(written: String, expected: String) {
        #expect(PostfixParameters("a = one\nempty =\nx = \(written)\n").value("x") == expected)
    }

    @Test(arguments: [
        ("unix:x", "unix:x"), ("{ unix:x, a=b c=d }", "{unix:x,a=b,c=d}"),
        ("{ inet:h:1 { a = b } }", "{inet:h:1,{a=b}}"),
    ])
    func blanksAreTakenOutForMasterCf(item: String, expected: String) {
        #expect(PostfixText.withoutBlanks(item) == expected)
    }

    @Test func selfReferenceEnds() {
        #expect(PostfixParameters("a = $b x\nb = $a y\n").value("a").count < 1000)
        #expect(PostfixParameters("a = $a$a$a$a\n").value("a").count < 1_000_000)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func mutatedFragmentNeverTraps(seed: UInt64) throws {
        var generator = SeededGenerator(state: seed)
        let sample = try Array(
            PackageTree.text(of: "conf/postfix/main.cf") + "a = ${smtpd_milters?{x}:{$a}} ${{b}=={c}?{d}:{e}}\n")
        let splinters = Array("${}()?:=, \n\t#\\-o")
        var read = 0
        for _ in 0..<60 {
            var text = sample
            for _ in 0..<6 {
                guard let position = text.indices.randomElement(using: &generator) else { continue }
                if Bool.random(using: &generator) {
                    text.insert(splinters.randomElement(using: &generator) ?? "$", at: position)
                } else {
                    text.removeSubrange(
                        position..<min(text.count, position + Int.random(in: 1...20, using: &generator)))
                }
            }
            let findings = try PostfixCase(
                "", main: String(text), master: PostfixCase.master + String(text.suffix(200))
            ).run()
            read += findings.isEmpty ? 0 : 1
        }
        #expect(read == 60)
    }

    @Test func theLastAssignmentWins() {
        let parameters = PostfixParameters("a = 1\na = 2\n")
        #expect(parameters.value("a") == "2")
        #expect(parameters.line("a") == 2)
        #expect(parameters.overridden(by: ["a": "$b", "b": "3"]).value("a") == "3")
    }

    @Test(arguments: [("5", 5), ("5s", 5), ("2m", 120), ("1h", 3600), ("1d", 86_400), ("1w", 604_800)])
    func timesHaveUnits(text: String, seconds: Int) { #expect(PostfixText.seconds(text) == seconds) }

    @Test(arguments: ["", "s", "5x", "9223372036854775807w"])
    func otherTextIsNoTime(text: String) { #expect(PostfixText.seconds(text) == nil) }

    @Test func masterServicesAreRead() {
        let services = PostfixService.all(
            in:
                "smtp inet n - y - - smtpd\n  -o a=1 -o {b = x y}\n  -oc=$d -v\nrelay unix - - - - - smtp\nbroken line\n",
            chrootsByDefault: true)
        #expect(services.map(\.path) == ["smtp/inet", "relay/unix"])
        #expect(services.map(\.isChrooted) == [true, true])
        #expect(services.first?.overrides == ["a": "1", "b": "x y", "c": "$d"])
        #expect(services.map(\.line) == [1, 4])
    }

    /// Postfix's own reading of the same text, where it is installed.
    @Test func expansionAgreesWithPostconf() throws {
        let postconf = "/usr/sbin/postconf"
        guard FileManager.default.isExecutableFile(atPath: postconf) else {
            print("skipped: \(postconf) is not installed")
            return
        }
        let folder = try TemporaryFolder()
        // postconf prints parameters it knows; these take any text.
        let names = [
            "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions",
            "smtpd_recipient_restrictions",
            "smtpd_data_restrictions", "smtpd_etrn_restrictions", "smtpd_end_of_data_restrictions", "header_checks",
            "body_checks",
            "mime_header_checks", "nested_header_checks", "smtp_header_checks", "milter_header_checks",
            "canonical_maps",
            "virtual_alias_maps", "relocated_maps", "transport_maps", "sender_canonical_maps",
        ]
        let compared = Array(zip(names, Self.expansions.filter { $0.0 != "a$" }))
        try #require(compared.count == Self.expansions.count - 1)
        var text = "compatibility_level = 3.6\na = one\nempty =\n"
        for (name, expansion) in compared { text += "\(name) = \(expansion.0)\n" }
        try folder.write(text, to: "main.cf")
        try folder.write("smtp inet n - y - - smtpd\n", to: "master.cf")
        let process = Process()
        process.executableURL = URL(filePath: postconf)
        process.arguments = ["-c", folder.path, "-x"]
        // Of its own: reading the environment of a process in which many threads run is not safe.
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let printed = PostfixText.logicalLines(String(decoding: data, as: UTF8.self))
        let values = Dictionary(
            printed.compactMap { PostfixText.assignment($0.text) }.map { ($0.name, $0.value) }
        ) { first, _ in first }
        try #require(values["compatibility_level"] == "3.6")
        let parameters = PostfixParameters(text)
        for (name, expansion) in compared { #expect(parameters.value(name) == values[name], "\(expansion.0)") }
    }
}

import Glibc
import Testing

@testable import MailLogAdapter

@Suite struct ChildProcessTests {
    /// journalctl(1) runs for as long as we do: a socket that it inherited would stay open when we close it, or die.
    @Test func aProgramGetsNoneOfOurDescriptors() throws {
        // As many libraries open them.
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { ends.forEach { close($0) } }
        let child = try ChildProcess(["/bin/ls", "/proc/self/fd"])
        var output: [UInt8] = []
        while let bytes = child.read(within: 10_000), !bytes.isEmpty { output += bytes }
        // The last is the directory that ls(1) reads.
        #expect(String(decoding: output, as: UTF8.self) == "0\n1\n2\n3\n")
        #expect(child.end())
    }
}

import ArgumentParser
@main struct Postrider: ParsableCommand { func run() {} }

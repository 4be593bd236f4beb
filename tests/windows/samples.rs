//! Mistakes that the syntax check has to refuse, and what looks like one and is none.

/// Each of them must not pass.
pub const BROKEN: &[&str] = &[
    "if ($x { 'a' }",
    "if ($x) { 'a' ",
    "function f { param($x ",
    "foreach ($a in $b { $a }",
    "$x = 'never closed",
    "$x = \"never closed",
    "$x = @{ a = 1 ",
    "$x = @(1, 2",
    "try { 1 }",
    "try { 1 } catch { 2 ",
    "} else { 1 }",
    "catch { 1 }",
    "$x = $a ? 1 : 2",
    "$x = $a ?? 2",
    "Get-Item a && Get-Item b",
    "Get-Item a || Get-Item b",
    "if ($a < 3) { 1 }",
    "'a' = 3",
    "5 = $x",
    "Write-Output \"at $host2: x\"",
    "Write-Output \"caf\u{e9}\"",
    "# caf\u{e9}",
    "[CmdletBinding(]\nparam()",
    "switch ($x) { 'a' { 1 ",
    "while ($true { 1 }",
    "$h = @{ 'a' = }",
];

/// Each of them must pass.
pub const RIGHT: &[&str] = &[
    "Write-Output \"at ${port}: $($x.y): $env:PATH and `$host2:\"",
    "try { 1 } finally { 2 }",
    "switch ($x) {\n    'a' { 1 }\n    default { 2 }\n}",
    "$x = @{ A = 1; B = @('a', 'b') }",
    "& $File @Arguments 2>&1 | ForEach-Object { [string]$_ }",
    "if ($a -lt 3) { 1 } elseif ($a -gt 4) { 2 } else { 3 }",
    "function f {\n    [CmdletBinding()]\n    param([AllowNull()] $X, [string[]] $Y = @())\n    return $X\n}",
    "$x = @\"\na $b\n\"@",
];

# The Pester suite (Pester 5, Windows PowerShell 5.1 and PowerShell 7): the tables, every script's syntax and help, and on
# Windows the files, the log, the endpoint and set-mode.ps1 themselves. Needs no rights of an administrator.
#
#     Invoke-Pester -Path windows\tests

BeforeDiscovery {
    $rows = foreach ($file in (Get-ChildItem -Path (Join-Path $PSScriptRoot 'tables') -Filter '*.json')) {
        $table = Get-Content -LiteralPath $file.FullName -Raw | ConvertFrom-Json
        foreach ($row in $table.rows) { @{ Function = $table.function; Name = $row.name; Row = $row } }
    }
    $scripts = Get-ChildItem -Path (Split-Path -Parent $PSScriptRoot) -Filter '*.ps1' | ForEach-Object { @{ Name = $_.Name; Path = $_.FullName } }
    $sources = Get-ChildItem -Path (Split-Path -Parent $PSScriptRoot) -Recurse -Include '*.ps1', '*.psm1', '*.psd1' | ForEach-Object { @{ Name = $_.Name; Path = $_.FullName } }
    # $IsWindows is PowerShell 7's; 5.1 is Windows.
    $windows = ($PSVersionTable.PSVersion.Major -lt 6) -or $IsWindows
}

BeforeAll {
    $script:folder = Split-Path -Parent $PSScriptRoot
    Import-Module (Join-Path (Join-Path $script:folder 'Sluice') 'Sluice.psd1') -Force

    function ConvertTo-Canonical {
        # One text for one value, whatever made it: hashtable or object, array or list, keys in order.
        param($Value)
        if ($null -eq $Value) { return 'null' }
        if ($Value -is [bool]) { return ([string]$Value).ToLowerInvariant() }
        if ($Value -is [string]) { return '"' + $Value + '"' }
        if ($Value -is [System.ValueType]) { return [string]$Value }
        if ($Value -is [System.Collections.IDictionary]) {
            $members = foreach ($key in ($Value.Keys | Sort-Object)) { "$key=" + (ConvertTo-Canonical -Value $Value[$key]) }
            return '{' + ($members -join ';') + '}'
        }
        if ($Value -is [System.Collections.IEnumerable]) {
            $members = foreach ($one in $Value) { ConvertTo-Canonical -Value $one }
            return '[' + ($members -join ';') + ']'
        }
        $members = foreach ($property in ($Value.PSObject.Properties | Sort-Object -Property Name)) { "$($property.Name)=" + (ConvertTo-Canonical -Value $property.Value) }
        return '{' + ($members -join ';') + '}'
    }

    function New-Root {
        # A folder of an installation with settings that lead nowhere but to this PC.
        param([int] $ModePort)
        $root = Join-Path $TestDrive ([guid]::NewGuid().ToString('N'))
        New-Item -ItemType Directory -Path (Join-Path $root 'logs') -Force | Out-Null
        $settings = Get-DefaultSettings -RouterAddress '192.168.1.10' -AdminUrl 'http://127.0.0.1:9' -UserSid 'S-1-5-21-1-2-3-1001'
        $settings.modePort = $ModePort
        $settings.distribution = 'no-such-distribution'
        Write-StateFile -Path (Join-Path $root 'settings.json') -Text ($settings | ConvertTo-Json)
        return $root
    }

    function Get-FreePort {
        $socket = New-Object System.Net.Sockets.TcpListener([System.Net.IPAddress]::Loopback, 0)
        $socket.Start()
        $port = $socket.LocalEndpoint.Port
        $socket.Stop()
        return $port
    }

    function Get-Engine {
        # The engine that runs this suite.
        return (Get-Process -Id $PID).Path
    }
}

Describe 'Tables' {
    It '<Function>: <Name>' -ForEach $rows {
        $given = @{}
        foreach ($property in $Row.given.PSObject.Properties) { $given[$property.Name] = $property.Value }
        $got = & $Function @given
        ConvertTo-Canonical -Value $got | Should -BeExactly (ConvertTo-Canonical -Value $Row.then)
    }
}

Describe 'Sources' {
    It '<Name> is right for this engine' -ForEach $sources {
        $tokens = $null
        $errors = $null
        [void][System.Management.Automation.Language.Parser]::ParseFile($Path, [ref]$tokens, [ref]$errors)
        $errors | Should -BeNullOrEmpty
    }
    It '<Name> is ASCII' -ForEach $sources {
        [System.IO.File]::ReadAllText($Path) | Should -Not -Match '[^\x00-\x7F]'
    }
}

Describe 'Help' {
    It '<Name> says what it does, and each parameter' -ForEach $scripts {
        $help = Get-Help -Name $Path -Full
        $help.Synopsis | Should -Not -Match '\.ps1'
        $parameters = (Get-Command -Name $Path).Parameters.Keys | Where-Object {
            [System.Management.Automation.Cmdlet]::CommonParameters -notcontains $_ -and [System.Management.Automation.Cmdlet]::OptionalCommonParameters -notcontains $_
        }
        foreach ($parameter in $parameters) {
            ($help.parameters.parameter | Where-Object { $_.name -eq $parameter }).description | Should -Not -BeNullOrEmpty -Because "-$parameter"
        }
    }
}

Describe 'Files' {
    It 'a missing file is $null' {
        Read-StateFile -Path (Join-Path $TestDrive 'nothing.txt') | Should -BeNullOrEmpty
    }
    It 'is replaced whole, the first time and again' {
        $file = Join-Path $TestDrive 'mode.txt'
        Write-StateFile -Path $file -Text 'NORMAL'
        Write-StateFile -Path $file -Text 'GAMING'
        Read-StateFile -Path $file | Should -Be "GAMING`r`n"
        Get-ModeWord -Text (Read-StateFile -Path $file) | Should -Be 'GAMING'
    }
    It 'is read whatever wrote it' {
        $file = Join-Path $TestDrive 'utf16.txt'
        [System.IO.File]::WriteAllText($file, 'GAMING', [System.Text.Encoding]::Unicode)
        Get-ModeWord -Text (Read-StateFile -Path $file) | Should -Be 'GAMING'
    }
    It 'a lock lets one in at a time' {
        $file = Join-Path $TestDrive 'lock'
        $lock = Enter-Lock -Path $file -Seconds 1
        { Enter-Lock -Path $file -Seconds 0 } | Should -Throw '*another set-mode.ps1*'
        $lock.Dispose()
        (Enter-Lock -Path $file -Seconds 1).Dispose()
    }
    It 'a log is rotated past a megabyte and three files stay' {
        $file = Join-Path $TestDrive 'x.log'
        foreach ($round in 1, 2, 3, 4) {
            [System.IO.File]::WriteAllText($file, ('x' * 1048577))
            Write-Log -Path $file -Message "round $round"
        }
        (Get-ChildItem -Path $TestDrive -Filter 'x.log*').Name | Sort-Object | Should -Be @('x.log', 'x.log.1', 'x.log.2')
        Get-Content -LiteralPath $file | Should -Match 'round 4$'
    }
}

Describe 'Endpoint' -Skip:(-not $windows) {
    BeforeAll {
        $script:port = Get-FreePort
        $script:root = New-Root -ModePort $script:port
        $script:listener = Start-Process -FilePath (Get-Engine) -PassThru -WindowStyle Hidden -ArgumentList @(
            '-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', (Join-Path $script:folder 'mode-listener.ps1'),
            '-Root', $script:root, '-HostName', 'localhost')
        $until = [DateTime]::UtcNow.AddSeconds(30)
        while ((Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 2).Status -eq 0 -and [DateTime]::UtcNow -lt $until) {
            Start-Sleep -Milliseconds 200
        }
    }
    AfterAll { Stop-Process -Id $script:listener.Id -Force }

    It 'a fresh install is NORMAL' {
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/mode" -Seconds 5).Text | Should -BeExactly '{"mode":"NORMAL"}'
    }
    It 'reads the files anew for each request' {
        Write-StateFile -Path (Join-Path $script:root 'mode.txt') -Text 'GAMING'
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 5).Text | Should -BeExactly '{"mode":"GAMING"}'
        Write-StateFile -Path (Join-Path $script:root 'model.txt') -Text 'ASLEEP'
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 5).Text | Should -BeExactly '{"mode":"GAMING","available":false}'
        Remove-StateFile -Path (Join-Path $script:root 'model.txt')
    }
    It 'another word is a 500' {
        Write-StateFile -Path (Join-Path $script:root 'mode.txt') -Text 'MAYBE'
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 5).Status | Should -Be 500
    }
    It 'survives a locked file, garbage and a client that hangs' {
        $file = Join-Path $script:root 'mode.txt'
        Write-StateFile -Path $file -Text 'GAMING'
        $lock = Enter-Lock -Path $file -Seconds 1
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 5).Status | Should -Be 500
        $lock.Dispose()
        $hanging = New-Object System.Net.Sockets.TcpClient('localhost', $script:port)
        $hanging.GetStream().Write([byte[]](71, 69, 84, 32), 0, 4)
        $garbage = New-Object System.Net.Sockets.TcpClient('localhost', $script:port)
        $garbage.GetStream().Write([byte[]](0, 255, 13, 10, 13, 10), 0, 6)
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/" -Seconds 5).Status | Should -Be 200
        $hanging.Dispose()
        $garbage.Dispose()
    }
    It 'refuses what it is not there for' {
        (Invoke-Http -Method 'PUT' -Url "http://localhost:$script:port/" -Body '{"mode":"NORMAL"}' -Seconds 5).Status | Should -Be 405
        (Invoke-Http -Method 'GET' -Url "http://localhost:$script:port/x" -Seconds 5).Status | Should -Be 404
    }
}

Describe 'set-mode.ps1' -Skip:(-not $windows) {
    BeforeAll {
        function Invoke-SetMode {
            param([string[]] $Arguments)
            $done = Invoke-Native -File (Get-Engine) -Arguments (@('-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', (Join-Path $script:folder 'set-mode.ps1')) + $Arguments)
            return $done
        }
    }
    It 'works while sluice cannot be reached, and says so' {
        $root = New-Root -ModePort 18000
        $done = Invoke-SetMode -Arguments @('GAMING', '-Root', $root)
        $done.Code | Should -Be 0
        ($done.Lines -join "`n") | Should -Match 'sluice does not answer at http://127.0.0.1:9'
        Get-ModeWord -Text (Read-StateFile -Path (Join-Path $root 'mode.txt')) | Should -Be 'GAMING'
    }
    It 'changes nothing with -WhatIf' {
        $root = New-Root -ModePort 18000
        (Invoke-SetMode -Arguments @('GAMING', '-Root', $root, '-Model', 'sleep', '-WhatIf')).Code | Should -Be 0
        Test-Path -LiteralPath (Join-Path $root 'mode.txt') | Should -BeFalse
    }
    It 'refuses another word' {
        (Invoke-SetMode -Arguments @('MAYBE', '-Root', (New-Root -ModePort 18000))).Code | Should -Not -Be 0
    }
    It 'leaves the model awake, and says so, when it cannot ask vLLM' {
        $root = New-Root -ModePort 18000
        $done = Invoke-SetMode -Arguments @('GAMING', '-Root', $root, '-Model', 'sleep', '-Wait', '1')
        $done.Code | Should -Be 1
        Test-Path -LiteralPath (Join-Path $root 'model.txt') | Should -BeFalse
        Get-ModeWord -Text (Read-StateFile -Path (Join-Path $root 'mode.txt')) | Should -Be 'GAMING'
    }
}
